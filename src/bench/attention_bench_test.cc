// SPDX-License-Identifier: Apache-2.0
#include "bench/attention_bench.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/test_profile.h"

namespace bitfetch {
namespace {

AttentionBenchOptions SmallAttention() {
  AttentionBenchOptions options;
  options.places.shape = {.kv_heads = 1, .group = 2, .head_dim = 64};
  options.places.pages = {PageSize::k4K};
  options.places.cold_bytes = 4 << 20;
  return options;
}

// Figures are not judged here, only that there is one row for each combination and that they are
// figures.
TEST(BenchAttention, MeasuresEveryCombination) {
  const TestProfile profile;
  AttentionBenchOptions options = SmallAttention();
  options.places.n_kv = {100, 300};
  options.places.threads = {1, 2};
  options.places.placements = {BlockPlacement::kContiguous, BlockPlacement::kShuffled};
  options.repeats = 3;
  int64_t heard = 0;
  const auto rows =
      BenchAttention(options, [&](const AttentionBenchRow&, int64_t done, int64_t total) -> Status {
        EXPECT_EQ(done, ++heard);
        EXPECT_EQ(total, 16);
        return {};
      });
  ASSERT_TRUE(rows) << rows.error().message;
  EXPECT_EQ(heard, 16);
  for (const AttentionBenchRow& row : *rows) {
    EXPECT_GT(row.fraction.min, 0);
    EXPECT_LE(row.fraction.min, row.fraction.median);
    EXPECT_LE(row.fraction.median, row.fraction.max);
    EXPECT_GT(row.gb_per_s.min, 0);
    EXPECT_GT(row.read_gb_per_s.min, 0);
    EXPECT_EQ(row.repeats, 3);
    EXPECT_TRUE(row.prefetch.mode != PrefetchSetting::Mode::kOff || row.plan == PrefetchPlan{});
    ASSERT_TRUE(row.over_off);
    EXPECT_GT(row.over_off->min, 0);
  }
}

TEST(BenchAttention, KeepsASettingThatIsGivenTwice) {
  const TestProfile profile;
  AttentionBenchOptions options = SmallAttention();
  options.places.n_kv = {64};
  options.places.threads = {1};
  options.prefetch = {{PrefetchSetting::Mode::kBytes, 4096},
                      {PrefetchSetting::Mode::kOff},
                      {PrefetchSetting::Mode::kOff}};
  options.repeats = 2;
  const auto rows = BenchAttention(options, {});
  ASSERT_TRUE(rows) << rows.error().message;
  ASSERT_EQ(rows->size(), 3u);
  EXPECT_GE((*rows)[0].plan.distance_bytes, 4096);
  EXPECT_EQ((*rows)[1].plan, (*rows)[2].plan);
  // Over the first that is off.
  EXPECT_EQ((*rows)[1].over_off->min, 1);
  EXPECT_EQ((*rows)[1].over_off->max, 1);

  options.prefetch.resize(1);
  EXPECT_FALSE(BenchAttention(options, {})->front().over_off);
}

TEST(BenchAttention, RefusesShapesThatNoKernelTakes) {
  AttentionBenchOptions good;
  good.places.threads = {1};
  const auto expect_refused = [](const AttentionBenchOptions& options, const char* why) {
    const auto rows = BenchAttention(options, {});
    ASSERT_FALSE(rows);
    EXPECT_THAT(rows.error().message, ::testing::HasSubstr(why));
  };
  AttentionBenchOptions options = good;
  options.places.shape.head_dim = 100;
  expect_refused(options, "heads of 16, 32, ... dims, not of 100");
  options = good;
  options.places.shape.group = 0;
  expect_refused(options, "0 query heads");
  options = good;
  options.places.shape.kv_heads = 0;
  expect_refused(options, "0 KV heads");
  options = good;
  options.places.n_kv = {100, 0};
  expect_refused(options, "a cache of 0 tokens");
  options = good;
  options.repeats = 0;
  expect_refused(options, "0 repeats");
}

}  // namespace
}  // namespace bitfetch
