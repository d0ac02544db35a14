// SPDX-License-Identifier: Apache-2.0
#include "tier/circuit_breaker.h"

#include <gtest/gtest.h>

namespace bitfetch {
namespace {

TEST(CircuitBreaker, LetsOneCallTryAfterEachRest) {
  CircuitBreaker breaker;
  EXPECT_TRUE(breaker.Allows(0));
  EXPECT_TRUE(breaker.Failed(0));
  double now = 0;
  for (const double rest : {1, 2, 4, 8, 16, 30, 30}) {
    EXPECT_FALSE(breaker.Allows(now + rest - 0.1));
    now += rest;
    EXPECT_TRUE(breaker.Allows(now)) << rest;
    EXPECT_FALSE(breaker.Allows(now));  // until that call ends
    EXPECT_FALSE(breaker.Failed(now));
  }
  now += 30;
  EXPECT_TRUE(breaker.Allows(now));
  EXPECT_TRUE(breaker.Succeeded());
  EXPECT_TRUE(breaker.Allows(now));
  EXPECT_TRUE(breaker.Allows(now));
  EXPECT_FALSE(breaker.Succeeded());
  EXPECT_TRUE(breaker.Failed(now));
  EXPECT_TRUE(breaker.Allows(now + 1));
}

TEST(CircuitBreaker, ACallThatNeverEndsKeepsOthersForAWhileOnly) {
  CircuitBreaker breaker;
  breaker.Failed(0);
  EXPECT_TRUE(breaker.Allows(1));
  EXPECT_FALSE(breaker.Allows(2));
  EXPECT_TRUE(breaker.Allows(3));
}

}  // namespace
}  // namespace bitfetch
