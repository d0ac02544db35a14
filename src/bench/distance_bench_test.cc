// SPDX-License-Identifier: Apache-2.0
#include "bench/distance_bench.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <tuple>

#include "engine/test_profile.h"

namespace bitfetch {
namespace {

DistanceBenchOptions SmallDistance() {
  DistanceBenchOptions options;
  options.places.shape = {.kv_heads = 1, .group = 2, .head_dim = 64};
  options.places.n_kv = {300};
  options.places.threads = {1};
  options.places.placements = {BlockPlacement::kContiguous, BlockPlacement::kShuffled};
  options.places.pages = {PageSize::k4K};
  options.sweep.distances = {64, 256, 4096};
  options.sweep.streams = {1, 4};
  options.places.cold_bytes = 4 << 20;
  options.sweep.repeats = 2;
  return options;
}

TEST(BenchDistance, SweepsEveryCombinationAndComparesTheLaw) {
  const TestProfile profile;
  int64_t heard = 0;
  size_t rows_heard = 0;
  const auto rows = BenchDistance(
      SmallDistance(),
      [&](const std::vector<DistanceBenchRow>& of_place) -> Status {
        rows_heard += of_place.size();
        return {};
      },
      [&](int64_t done, int64_t total) {
        EXPECT_EQ(done, ++heard);
        EXPECT_EQ(total, 2 * 2);
      });
  ASSERT_TRUE(rows) << rows.error().message;
  EXPECT_EQ(heard, 4);
  // Off, law, and of each hint three distances along one stream, two along four.
  constexpr size_t kOfPlace = 2 + 2 * (3 + 2);
  ASSERT_EQ(rows->size(), 2 * kOfPlace);
  EXPECT_EQ(rows_heard, rows->size());

  std::set<std::tuple<BlockPlacement, int64_t, int, PrefetchHint>> swept;
  for (size_t i = 0; i < rows->size(); ++i) {
    const DistanceBenchRow& row = (*rows)[i];
    EXPECT_GT(row.gb_per_s.min, 0);
    EXPECT_GT(row.fraction.min, 0);
    EXPECT_LE(row.fraction.median, row.fraction.max);
    EXPECT_EQ(row.repeats, 2);
    const bool last = i % kOfPlace == kOfPlace - 1;
    EXPECT_EQ(row.prefetch.mode == PrefetchSetting::Mode::kAuto, last);
    EXPECT_EQ(row.head_to_head.has_value(), last);
    if (i % kOfPlace == 0) {
      EXPECT_EQ(row.prefetch.mode, PrefetchSetting::Mode::kOff);
    }
    if (row.prefetch.mode == PrefetchSetting::Mode::kBytes) {
      EXPECT_EQ(row.plan.distance_bytes, row.prefetch.bytes);
      swept.insert({row.place.placement, row.plan.distance_bytes, row.plan.streams, row.plan.hint});
    }
  }
  EXPECT_EQ(swept.size(), 2 * (kOfPlace - 2));

  const HeadToHead& compared = *rows->back().head_to_head;
  EXPECT_GE(compared.pairs, 15);
  EXPECT_GT(compared.ratio.min, 0);
  EXPECT_LE(compared.ratio.min, compared.ratio.median);
  EXPECT_LE(compared.ratio.median, compared.ratio.max);
  // The best is the fastest of its place's rows, without the law's.
  double fastest = 0;
  PrefetchPlan best;
  for (size_t i = kOfPlace; i + 1 < rows->size(); ++i) {
    if ((*rows)[i].gb_per_s.median <= fastest) continue;
    fastest = (*rows)[i].gb_per_s.median;
    best = (*rows)[i].plan;
  }
  EXPECT_EQ(compared.best, best);
}

TEST(BenchDistance, SweepsWeightsInPlaceOfAttention) {
  const TestProfile profile;
  DistanceBenchOptions options = SmallDistance();
  options.weights = {WeightsKind::kFives, WeightsKind::kScreen};
  options.sweep.streams = {1, 4, 8};
  int64_t heard = 0;
  const auto rows = BenchDistance(options, {}, [&](int64_t done, int64_t total) {
    EXPECT_EQ(done, ++heard);
    EXPECT_EQ(total, 2 * 2);
  });
  ASSERT_TRUE(rows) << rows.error().message;
  EXPECT_EQ(heard, 4);
  // Off, law, and of each hint three distances along one stream, two along four, but none along
  // eight.
  constexpr size_t kOfKind = 2 + 2 * (3 + 2);
  ASSERT_EQ(rows->size(), 2 * kOfKind);
  for (size_t i = 0; i < rows->size(); ++i) {
    const DistanceBenchRow& row = (*rows)[i];
    EXPECT_EQ(row.weights, options.weights[i / kOfKind]);
    EXPECT_GT(row.gb_per_s.min, 0);
    EXPECT_TRUE(row.plan.streams == 1 || row.plan.streams == 4) << row.plan.streams;
    EXPECT_EQ(row.head_to_head.has_value(), i % kOfKind == kOfKind - 1);
  }
}

TEST(BenchDistance, RefusesWhatIsNotPossible) {
  const auto expect_refused = [](const DistanceBenchOptions& options, const char* why) {
    const auto rows = BenchDistance(options, {}, {});
    ASSERT_FALSE(rows);
    EXPECT_THAT(rows.error().message, ::testing::HasSubstr(why));
  };
  DistanceBenchOptions options = SmallDistance();
  options.sweep.distances = {64, 0};
  expect_refused(options, "a distance of 0 bytes");
  options = SmallDistance();
  options.sweep.streams = {32};
  expect_refused(options, "32 streams");
  options = SmallDistance();
  options.sweep.repeats = 0;
  expect_refused(options, "0 repeats");
  options = SmallDistance();
  options.places.shape.head_dim = 72;
  expect_refused(options, "not of 72");
}

}  // namespace
}  // namespace bitfetch
