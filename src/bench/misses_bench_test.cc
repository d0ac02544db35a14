// SPDX-License-Identifier: Apache-2.0
#include "bench/misses_bench.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <numeric>

#include "bench/counters.h"
#include "engine/test_profile.h"

namespace bitfetch {
namespace {

using ::testing::HasSubstr;

MissesBenchOptions SmallMisses() {
  MissesBenchOptions options;
  options.places.shape = {.kv_heads = 1, .group = 2, .head_dim = 64};
  options.places.threads = {1};
  options.places.pages = {PageSize::k4K};
  options.places.cold_bytes = 4 << 20;
  options.places.n_kv = {1024};
  options.repeats = 2;
  return options;
}

void ExpectTouches(const TouchShares& touches) {
  EXPECT_GT(touches.touches, 0);
  EXPECT_EQ(touches.level_share.size(), touches.times.levels.size());
  EXPECT_NEAR(std::accumulate(touches.level_share.begin(), touches.level_share.end(), 0.0), 1,
              1e-9);
  EXPECT_LE(touches.dram_share.min, touches.level_share.back() + 1e-9);
  EXPECT_GE(touches.dram_share.max, touches.level_share.back() - 1e-9);
  EXPECT_GE(touches.late_share.median, touches.level_share.back() - 1e-9);
  EXPECT_LE(touches.late_share.min, touches.late_share.median + 1e-9);
  EXPECT_GE(touches.late_share.max, touches.late_share.median - 1e-9);
  int64_t in_bins = 0;
  for (size_t i = 0; i < touches.histogram.size(); ++i) {
    in_bins += touches.histogram[i].touches;
    if (i > 0) {
      EXPECT_EQ(touches.histogram[i].from_ns, touches.histogram[i - 1].to_ns);
    }
  }
  EXPECT_EQ(in_bins, touches.touches);
  EXPECT_TRUE(std::isinf(touches.histogram.back().to_ns));
  EXPECT_GT(touches.cost.min, -1);
}

// Figures are not judged here.
TEST(BenchMisses, GivesARowForEachPlaceAndSettingOrSaysWhyNot) {
  const TestProfile profile;
  MissesBenchOptions options = SmallMisses();
  options.places.placements = {BlockPlacement::kContiguous, BlockPlacement::kShuffled};
  options.places.threads = {1, 2};
  int64_t rows = 0;
  const Status status =
      BenchMisses(options, [&](const MissesBenchRow& row, int64_t done, int64_t total) -> Status {
        EXPECT_EQ(done, ++rows);
        EXPECT_EQ(total, 8);
        if (row.touches) {
          ExpectTouches(*row.touches);
        } else {
          EXPECT_FALSE(row.touches.error().message.empty());
        }
        if (row.counted) {
          EXPECT_EQ(row.counted->size(), MissEvents().size());
        } else {
          EXPECT_FALSE(row.counted.error().message.empty());
        }
        return {};
      });
  EXPECT_TRUE(status) << status.error().message;
  EXPECT_EQ(rows, 8);
}

TEST(BenchMisses, ComparesWithTheFirstThatIsOff) {
  const TestProfile profile;
  MissesBenchOptions options = SmallMisses();
  options.prefetch = {{PrefetchSetting::Mode::kBytes, 4096}, {PrefetchSetting::Mode::kOff}};
  std::vector<MissesBenchRow> rows;
  const Status status = BenchMisses(options, [&](const MissesBenchRow& row, int64_t, int64_t) {
    rows.push_back(row);
    return Status();
  });
  if (!status || !rows[1].touches) GTEST_SKIP() << "no loads can be timed here";
  ASSERT_EQ(rows.size(), 2u);
  const double off = rows[1].touches->level_share.back();
  const double waits = rows[0].touches->level_share.back();
  EXPECT_EQ(rows[1].touches->fewer.has_value(), off > 0);
  ASSERT_EQ(rows[0].touches->fewer.has_value(), off > 0 && waits > 0);
  if (off > 0) {
    EXPECT_EQ(rows[1].touches->fewer->median, 1);
  }
  if (const auto fewer = rows[0].touches->fewer) {
    EXPECT_NEAR(fewer->median, off / waits, 1e-6);
    EXPECT_LE(fewer->min, fewer->median);
    EXPECT_GE(fewer->max, fewer->median);
  }
}

TEST(BenchMisses, OfTheScalarKernelsTimesNothing) {
  const TestProfile profile;
  setenv("BITFETCH_ISA", "scalar", 1);
  MissesBenchOptions options = SmallMisses();
  options.places.n_kv = {256};
  options.repeats = 1;
  const Status status = BenchMisses(options, [](const MissesBenchRow& row, int64_t, int64_t) {
    EXPECT_FALSE(row.touches);
    EXPECT_THAT(row.touches.error().message, HasSubstr("scalar"));
    return Status();
  });
  unsetenv("BITFETCH_ISA");
  EXPECT_TRUE(status) << status.error().message;
}

TEST(BenchMisses, RefusesWhatCannotBe) {
  MissesBenchOptions options = SmallMisses();
  options.repeats = 0;
  EXPECT_FALSE(BenchMisses(options, {}));
  options = SmallMisses();
  options.places.n_kv = {0};
  EXPECT_FALSE(BenchMisses(options, {}));
}

TEST(BenchMisses, EndsWithTheErrorOfWhoListens) {
  const TestProfile profile;
  MissesBenchOptions options = SmallMisses();
  options.repeats = 1;
  int heard = 0;
  const Status status = BenchMisses(options, [&](const MissesBenchRow&, int64_t, int64_t) {
    ++heard;
    return Status(Fail("enough"));
  });
  ASSERT_FALSE(status);
  if (heard > 0) {
    EXPECT_EQ(status.error().message, "enough");
  }
  EXPECT_LE(heard, 1);
}

}  // namespace
}  // namespace bitfetch
