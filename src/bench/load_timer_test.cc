// SPDX-License-Identifier: Apache-2.0
#include "bench/load_timer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "machine/topology.h"

namespace bitfetch {
namespace {

using ::testing::HasSubstr;

std::vector<LoadTimes::Level> Levels(double l1, double l2, double l3, double dram) {
  return {{"L1", l1}, {"L2", l2}, {"L3", l3}, {"DRAM", dram}};
}

TEST(LoadTimes, KeepLevelsThatTheCounterTellsApart) {
  const auto times = JoinLevels(0.5, 1, Levels(10, 16, 36, 100));
  ASSERT_TRUE(times) << times.error().message;
  ASSERT_EQ(times->levels.size(), 4u);
  EXPECT_EQ(times->LevelOf(0), 0u);
  EXPECT_EQ(times->LevelOf(12), 0u);
  EXPECT_EQ(times->LevelOf(13), 1u);
  EXPECT_EQ(times->LevelOf(25), 2u);
  EXPECT_EQ(times->DramBorderNs(), 60);
  EXPECT_EQ(times->LevelOf(59), 2u);
  EXPECT_EQ(times->LevelOf(60), 3u);
  EXPECT_EQ(times->LevelOf(1e9), 3u);
}

TEST(LoadTimes, JoinLevelsThatItDoesNot) {
  const auto times = JoinLevels(0.5, 10, Levels(20, 20, 30, 100));
  ASSERT_TRUE(times) << times.error().message;
  ASSERT_EQ(times->levels.size(), 2u);
  EXPECT_EQ(times->levels[0].name, "L1 to L3");
  EXPECT_EQ(times->levels[0].ns, 30);
  EXPECT_EQ(times->levels[1].name, "DRAM");

  const auto apart = JoinLevels(0.5, 10, Levels(20, 30, 50, 100));
  ASSERT_TRUE(apart) << apart.error().message;
  ASSERT_EQ(apart->levels.size(), 3u);
  EXPECT_EQ(apart->levels[0].name, "L1 to L2");
  EXPECT_EQ(apart->levels[1].name, "L3");
}

TEST(LoadTimes, RefuseACounterThatDoesNotShowDram) {
  const auto times = JoinLevels(40, 40, Levels(0, 0, 40, 80));
  ASSERT_FALSE(times);
  EXPECT_THAT(times.error().message, HasSubstr("steps of 40 ns"));
}

TEST(LoadTimes, CachedLoadsThatReadAsNothingAreNotFromDram) {
  const auto times = JoinLevels(40, 40, Levels(0, 0, 0, 160));
  ASSERT_TRUE(times) << times.error().message;
  ASSERT_EQ(times->levels.size(), 2u);
  EXPECT_EQ(times->LevelOf(0), 0u);
  EXPECT_EQ(times->LevelOf(40), 0u);
  EXPECT_EQ(times->LevelOf(120), 1u);
}

// No figure is judged: other work may have taken the core meanwhile, an emulator is slow anyway.
TEST(LoadTimes, AreMeasuredOrRefusedInWords) {
  const auto pool = ThreadPool::Create(1).value();
  const auto cold = ColdBuffer::Create(*pool, size_t{32} << 20, PageSize::k4K);
  ASSERT_TRUE(cold) << cold.error().message;
  const auto times = MeasureLoadTimes(DefaultProfile(ReadTopology()), *cold);
  if (!times) {
    EXPECT_THAT(times.error().message, HasSubstr("counter"));
    return;
  }
  EXPECT_GT(times->ns_per_tick, 0);
  EXPECT_GE(times->step_ns, times->ns_per_tick);
  ASSERT_GE(times->levels.size(), 2u);
  EXPECT_EQ(times->levels.back().name, "DRAM");
  for (size_t i = 1; i < times->levels.size(); ++i) {
    EXPECT_GT(times->BorderNs(i), times->BorderNs(i - 1));
  }
}

TEST(TimeLoad, ReadsOneCounterInOrder) {
  if (!kHasLoadTimer) GTEST_SKIP() << "no counter here";
  const int value = 1;
  uint64_t min = UINT64_MAX;
  for (int i = 0; i < 100; ++i) min = std::min(min, TimeLoad(&value).load);
  EXPECT_LT(min, uint64_t{1} << 32);  // two readings of one counter, in the right order
}

}  // namespace
}  // namespace bitfetch
