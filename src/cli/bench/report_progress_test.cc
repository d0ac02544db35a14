// SPDX-License-Identifier: Apache-2.0
#include "cli/bench/report_progress.h"

#include <gtest/gtest.h>

namespace bitfetch {
namespace {

TEST(TimeLeft, IsWhatIsExpectedAtFirstAndGoesDownWithTheClock) {
  TimeLeft left(100);
  EXPECT_DOUBLE_EQ(left.At(0), 100);
  EXPECT_DOUBLE_EQ(left.At(30), 70);
  EXPECT_DOUBLE_EQ(left.At(1000), 0);
}

TEST(TimeLeft, FollowsThePaceOfThisMachine) {
  TimeLeft as_expected(100);
  as_expected.OnShare(40, 0.4);
  EXPECT_DOUBLE_EQ(as_expected.At(40), 60);
  EXPECT_DOUBLE_EQ(as_expected.At(50), 50);

  // Four times slower: 400 seconds in all.
  TimeLeft slower(100);
  slower.OnShare(12, 0.03);
  EXPECT_LT(slower.At(12), 388) << "the first rows say little";
  slower.OnShare(300, 0.75);
  EXPECT_NEAR(slower.At(300), 100, 10);
  slower.OnShare(400, 1);
  EXPECT_DOUBLE_EQ(slower.At(400), 0);
}

}  // namespace
}  // namespace bitfetch
