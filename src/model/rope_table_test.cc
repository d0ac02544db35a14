// SPDX-License-Identifier: Apache-2.0
#include "model/rope_table.h"

#include <gtest/gtest.h>

#include <cmath>

namespace bitfetch {
namespace {

struct Angle {
  double radians;
  double size;
};

// By which a table turns each pair at a position, from 0 to 2 pi, and by which it grows.
std::vector<Angle> AnglesOf(const RopeTable& table, int64_t position) {
  std::vector<float> cosines(table.pairs()), sines(table.pairs());
  table.At(position, cosines.data(), sines.data());
  std::vector<Angle> angles;
  for (int64_t i = 0; i < table.pairs(); ++i) {
    angles.push_back({std::atan2(sines[i], cosines[i]), std::hypot(cosines[i], sines[i])});
  }
  return angles;
}

TEST(RopeTable, TurnsByThetaAndFactors) {
  const std::vector<float> factors = {1, 2, 1, 4};
  const RopeTable table(RopeForm::kHalfSplit, 10000, 8, factors);
  const std::vector<Angle> angles = AnglesOf(table, 3);
  ASSERT_EQ(angles.size(), 4u);
  const double expected[] = {3 - 0.0, 0.3 / 2, 0.03, 0.003 / 4};
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_NEAR(angles[i].radians, expected[i], 1e-6) << i;
    EXPECT_NEAR(angles[i].size, 1, 1e-6) << i;
  }
}

// The Qwen3 heads of Ternary-Bonsai 8B. Pair i turns 16384 / (2 pi 10^(6 i / 64)) times in the
// original context: 32 times for i = 20.34, once for i = 36.41, so that the ramp goes from 20 to
// 37.
TEST(RopeTable, YarnKeepsFastPairsSlowsSlowOnesAndMixesBetween) {
  const RopeTable plain(RopeForm::kHalfSplit, 1e6, 128, {});
  const RopeTable yarn(RopeForm::kHalfSplit, 1e6, 128, {}, {4, 16384});
  const std::vector<Angle> before = AnglesOf(plain, 1), after = AnglesOf(yarn, 1);
  ASSERT_EQ(after.size(), 64u);
  for (size_t i = 0; i < 64; ++i) {
    const double slowed = i <= 20 ? 0 : i >= 37 ? 1 : (static_cast<double>(i) - 20) / 17;
    EXPECT_NEAR(after[i].radians / before[i].radians, 1 - slowed * 0.75, 1e-6) << i;
    EXPECT_NEAR(after[i].size, 1 + 0.1 * std::log(4.0), 1e-6) << i;
  }
}

TEST(RopeTable, AYarnOfNothingChangesNothing) {
  const RopeTable plain(RopeForm::kHalfSplit, 1, 16, {});
  for (const Yarn& yarn : {Yarn{1, 1 << 24}, Yarn{1, 1}, Yarn{}}) {
    const RopeTable table(RopeForm::kHalfSplit, 1, 16, {}, yarn);
    for (size_t i = 0; i < 8; ++i) {
      EXPECT_EQ(AnglesOf(table, 5)[i].radians, AnglesOf(plain, 5)[i].radians);
      EXPECT_EQ(AnglesOf(table, 5)[i].size, AnglesOf(plain, 5)[i].size);
    }
  }
}

TEST(RopeTable, StaysFiniteWhateverTheFileSays) {
  for (const double theta : {1.0, 1e30}) {
    for (const Yarn& yarn : {Yarn{1e30, 1}, Yarn{4, 1 << 24}, Yarn{1.5, 6}}) {
      for (const Angle& angle : AnglesOf(RopeTable(RopeForm::kHalfSplit, theta, 32, {}, yarn), 9)) {
        EXPECT_TRUE(std::isfinite(angle.size)) << theta << " " << yarn.factor;
      }
    }
  }
}

}  // namespace
}  // namespace bitfetch
