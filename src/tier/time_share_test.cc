// SPDX-License-Identifier: Apache-2.0
#include "tier/time_share.h"

#include <gtest/gtest.h>

namespace bitfetch {
namespace {

double RestSeconds(const TimeShare& share, TimeShare::Clock::time_point now) {
  return std::chrono::duration<double>(share.rests_until() - now).count();
}

TEST(TimeShare, RestsSoThatItTakesItsPartOfAProcessor) {
  const TimeShare::Clock::time_point now(std::chrono::hours(1));
  TimeShare share;
  EXPECT_LT(share.rests_until(), now);
  share.Used(0.002, 1, now);
  EXPECT_NEAR(RestSeconds(share, now), 0.002 / TimeShare::kShare, 1e-6);
  share.Used(0.001, 2, now);  // by another thread, that began before
  EXPECT_NEAR(RestSeconds(share, now), 0.003 / TimeShare::kShare, 1e-6);
  const auto later = now + std::chrono::minutes(1);
  share.Used(0.001, 1, later);
  EXPECT_NEAR(RestSeconds(share, later), 0.001 / TimeShare::kShare, 1e-6);
}

TEST(TimeShare, RestsNoLongerThanLeavesBlocksFasterThanComputed) {
  const TimeShare::Clock::time_point now(std::chrono::hours(1));
  TimeShare share;
  share.SetBlockSeconds(0.008);
  share.Used(0.1, 3, now);
  EXPECT_NEAR(RestSeconds(share, now), 3 * 0.008 / TimeShare::kMinBlocks, 1e-6);
}

}  // namespace
}  // namespace bitfetch
