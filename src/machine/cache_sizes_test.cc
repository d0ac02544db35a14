// SPDX-License-Identifier: Apache-2.0
#include "machine/cache_sizes.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

namespace bitfetch {
namespace {

// 8 KiB, 16 KiB and so on, with these latencies.
CacheSizes Find(const std::vector<double>& ns) {
  std::vector<SizeLatency> latencies;
  int64_t bytes = 8 << 10;
  for (const double each : ns) {
    latencies.push_back({bytes, each});
    bytes *= 2;
  }
  return FindCacheSizes(latencies);
}

TEST(CacheSizes, ALevelEndsWhereLatencyBeginsToRise) {
  // 32 KiB, 512 KiB, 16 MiB; rises over one size and over two.
  const CacheSizes sizes = Find({1.2, 1.2, 1.2, 3.5, 3.6, 3.7, 3.8, 9, 13, 13, 14, 14, 60, 95, 97});
  EXPECT_EQ(sizes.l1d_bytes, 32 << 10);
  EXPECT_EQ(sizes.l2_bytes, 512 << 10);
  EXPECT_EQ(sizes.l3_bytes, 16 << 20);
}

TEST(CacheSizes, WhatDoesNotShowIsZero) {
  const CacheSizes two = Find({1, 1, 4, 4, 4, 100, 100});
  EXPECT_EQ(two.l1d_bytes, 16 << 10);
  EXPECT_EQ(two.l2_bytes, 128 << 10);
  EXPECT_EQ(two.l3_bytes, 0);
  EXPECT_EQ(Find({5, 5.5, 6, 6.5, 7}).l1d_bytes, 0);  // no step is one of a cache
  EXPECT_EQ(Find({}).l1d_bytes, 0);
  EXPECT_EQ(Find({1, 2, 4}).l2_bytes, 0);  // one long rise
}

TEST(CacheSizes, LatenciesAreOfEachSizeThatTheBufferHas) {
  const std::vector<std::byte> zeros(300 << 10);
  const auto latencies = MeasureLatencies(zeros, std::numeric_limits<double>::infinity());
  ASSERT_EQ(latencies.size(), 6u);  // 8 to 256 KiB
  for (size_t i = 0; i < latencies.size(); ++i) {
    EXPECT_EQ(latencies[i].bytes, (8 << 10) << i);
    EXPECT_TRUE(std::isfinite(latencies[i].ns) && latencies[i].ns > 0);
  }
  EXPECT_TRUE(MeasureLatencies(zeros, /*deadline_ns=*/0).empty());
}

}  // namespace
}  // namespace bitfetch
