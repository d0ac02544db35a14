// SPDX-License-Identifier: Apache-2.0
#include "tier/fetch_allowance.h"

#include <gtest/gtest.h>

namespace bitfetch {
namespace {

// How many blocks come from a store that takes `seconds` for each before it is given up, of 500;
// and when that is known.
struct Outcome {
  int blocks = 0;
  double seconds = 0;
};
Outcome Fetch(double seconds, double block_seconds) {
  FetchAllowance allowance;
  allowance.SetBlockSeconds(block_seconds);
  allowance.Begin(100);
  for (int i = 0; i < 500; ++i) {
    const double arrival = 100 + (i + 1) * seconds;
    if (arrival > allowance.until()) return {i, allowance.until() - 100};
    allowance.Arrived(arrival, 1);
  }
  return {500, 500 * seconds};
}

TEST(FetchAllowance, AStoreThatIsFasterThanComputingIsNeverGivenUp) {
  for (const double seconds : {0.001, 0.01, 0.09, 0.0999}) {
    EXPECT_EQ(Fetch(seconds, 0.1).blocks, 500) << seconds;
  }
}

TEST(FetchAllowance, OneThatIsSlowerCostsLittleMoreThanComputing) {
  for (const double seconds : {0.15, 0.2, 1.0, 60.0}) {
    const Outcome outcome = Fetch(seconds, 0.1);
    EXPECT_LT(outcome.blocks, 10) << seconds;
    // What came need not be computed.
    EXPECT_LE(outcome.seconds - outcome.blocks * 0.1, FetchAllowance::kFirst * 0.1 + 1e-9);
  }
}

TEST(FetchAllowance, APauseIsForgivenAsFarAsBlocksCameEarly) {
  FetchAllowance allowance;
  allowance.SetBlockSeconds(0.1);
  allowance.Begin(0);
  for (int i = 1; i <= 100; ++i) allowance.Arrived(i * 0.001, 1);
  EXPECT_NEAR(allowance.until(), 0.1 + FetchAllowance::kMaxKept * 0.1, 1e-9);
}

TEST(FetchAllowance, OneThatWasGivenUpRestsTwiceAsLongEachTime) {
  FetchAllowance allowance;
  EXPECT_TRUE(allowance.MayBegin(5));
  double now = 5;
  for (const double rest : {10, 20, 40, 80, 160, 320, 600, 600}) {
    allowance.GiveUp(now);
    EXPECT_FALSE(allowance.MayBegin(now + rest - 0.1));
    EXPECT_TRUE(allowance.MayBegin(now + rest));
    now += rest;
  }
  allowance.Succeeded();
  allowance.GiveUp(now);
  EXPECT_TRUE(allowance.MayBegin(now + 10));
}

TEST(FetchAllowance, WhatIsComputedWithinTheLatencyIsNotFetched) {
  FetchAllowance allowance;
  allowance.SetBlockSeconds(0.1);
  EXPECT_FALSE(allowance.Pays(0.25, 2));
  EXPECT_TRUE(allowance.Pays(0.25, 3));
  EXPECT_FALSE(allowance.Pays(0, 0));
}

}  // namespace
}  // namespace bitfetch
