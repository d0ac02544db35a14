// SPDX-License-Identifier: Apache-2.0
#include "tier/store_speed.h"

#include <gtest/gtest.h>

namespace bitfetch {
namespace {

// Reads of one record each from a store that answers after `latency` and then sends so many bytes a
// second.
size_t AheadOf(double latency, double rate, double bytes) {
  StoreSpeed speed;
  for (int i = 0; i < 100; ++i) {
    speed.AddLatency(latency);
    speed.AddRead(latency + bytes / rate, bytes);
  }
  return speed.Ahead(bytes);
}

TEST(StoreSpeed, KeepsLatencyTimesRateOnItsWay) {
  EXPECT_EQ(StoreSpeed().Ahead(1e6), 2u);
  EXPECT_EQ(AheadOf(0.0001, 1e9, 1e6), 2u);
  EXPECT_EQ(AheadOf(0.0045, 1e9, 1e6), 6u);
  EXPECT_EQ(AheadOf(0.5, 1e9, 1e6), StoreSpeed::kMaxAhead);
}

TEST(StoreSpeed, ForgetsWhatWasOnce) {
  StoreSpeed speed;
  for (int i = 0; i < 50; ++i) {
    speed.AddLatency(0.1);
    speed.AddRead(0.11, 1e6);
  }
  EXPECT_GE(speed.Ahead(1e6), 11u);
  for (int i = 0; i < 100; ++i) {
    speed.AddLatency(0.0001);
    speed.AddRead(0.0101, 1e6);
  }
  EXPECT_EQ(speed.Ahead(1e6), 2u);
}

}  // namespace
}  // namespace bitfetch
