// SPDX-License-Identifier: Apache-2.0
#include "bench/spread.h"

#include <gtest/gtest.h>

namespace bitfetch {
namespace {

TEST(Spread, IsTheLowerMedianAndTheRange) {
  const Spread four = SpreadOf({7, 1, 5, 3});
  EXPECT_EQ(four.median, 3);
  EXPECT_EQ(four.min, 1);
  EXPECT_EQ(four.max, 7);
  EXPECT_EQ(SpreadOf({2, 9, 4}).median, 4);
}

// exp(ln 2 -+ 1.96 sqrt(1/10 - 1/100 + 1/5 - 1/100)), worked by hand.
TEST(RatioOfShares, HasTheIntervalOfKatz) {
  const Spread ratio = RatioOfShares(10, 100, 5, 100);
  EXPECT_DOUBLE_EQ(ratio.median, 2);
  EXPECT_NEAR(ratio.min, 0.70894, 1e-5);
  EXPECT_NEAR(ratio.max, 5.64224, 1e-5);
}

TEST(RatioOfShares, IsTheInverseTheOtherWayRound) {
  const Spread ratio = RatioOfShares(300, 11000, 20, 9000);
  const Spread inverse = RatioOfShares(20, 9000, 300, 11000);
  EXPECT_NEAR(ratio.median * inverse.median, 1, 1e-12);
  EXPECT_NEAR(ratio.min * inverse.max, 1, 1e-12);
  EXPECT_NEAR(ratio.max * inverse.min, 1, 1e-12);
}

TEST(RatioOfShares, NarrowsWithMoreCounts) {
  const Spread few = RatioOfShares(30, 1000, 3, 1000);
  const Spread many = RatioOfShares(3000, 100000, 300, 100000);
  EXPECT_DOUBLE_EQ(few.median, many.median);
  EXPECT_LT(few.min, many.min);
  EXPECT_GT(few.max, many.max);
}

}  // namespace
}  // namespace bitfetch
