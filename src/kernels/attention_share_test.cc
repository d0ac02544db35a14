// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "kernels/attention.h"

namespace bitfetch {
namespace {

TEST(AttentionShare, ThreadsShareWholeRangesInOrder) {
  for (const int threads : {1, 2, 3, 16, 61}) {
    for (const int64_t length : {1, 255, 256, 257, 1000, 8192, 8193}) {
      int64_t done = 0;
      for (int thread = 0; thread < threads; ++thread) {
        const auto [begin, end] = Attention::ShareOf(length, thread, threads);
        EXPECT_EQ(begin, done);
        EXPECT_GE(end, begin);
        EXPECT_TRUE(end == length || end % kRangeTokens == 0);
        // Equally busy, up to one range.
        EXPECT_LE(end - begin, (length / kRangeTokens / threads + 1) * kRangeTokens);
        done = end;
      }
      EXPECT_EQ(done, length);
    }
  }
}

}  // namespace
}  // namespace bitfetch
