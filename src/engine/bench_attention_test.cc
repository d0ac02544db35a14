// SPDX-License-Identifier: Apache-2.0
#include "engine/bench_attention.h"

#include <gtest/gtest.h>

namespace bitfetch {
namespace {

// Figures are not judged here, only that there is one row for each combination and that they are
// figures.
TEST(BenchAttention, MeasuresEveryCombination) {
  AttentionBenchOptions options;
  options.n_kv = {100, 300};
  options.threads = {1, 2};
  options.placements = {BlockPlacement::kContiguous, BlockPlacement::kShuffled};
  options.pages = {PageSize::k4K};
  options.repeats = 3;
  int64_t heard = 0;
  const auto rows =
      BenchAttention(options, [&](const AttentionBenchRow&, int64_t done, int64_t total) {
        EXPECT_EQ(done, ++heard);
        EXPECT_EQ(total, 16);
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
    EXPECT_TRUE(row.prefetch.mode != PrefetchSetting::Mode::kOff || row.distance_bytes == 0);
  }
}

TEST(BenchAttention, RefusesShapesThatNoKernelTakes) {
  AttentionBenchOptions options;
  options.threads = {1};
  options.head_dim = 100;
  EXPECT_FALSE(BenchAttention(options, {}));
  options.head_dim = 128;
  options.group = 0;
  EXPECT_FALSE(BenchAttention(options, {}));
  options.group = 1;
  options.kv_heads = 0;
  EXPECT_FALSE(BenchAttention(options, {}));
}

TEST(Spread, IsTheMedianAndTheRange) {
  const Spread spread = SpreadOf({3, 1, 2, 9});
  EXPECT_EQ(spread.median, 2);
  EXPECT_EQ(spread.min, 1);
  EXPECT_EQ(spread.max, 9);
}

}  // namespace
}  // namespace bitfetch
