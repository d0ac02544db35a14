// SPDX-License-Identifier: Apache-2.0
#include "prefetch/cursor.h"

#include <gtest/gtest.h>

#include <vector>

namespace bitfetch {
namespace {

constexpr size_t kBlockBytes = 5 * kCacheLineBytes;
constexpr size_t kStrideBytes = 3 * kBlockBytes;

TEST(PrefetchCursor, DolesOutEveryLineOnce) {
  const std::vector<std::byte> arena(20 * kStrideBytes);
  const std::vector<uint32_t> blocks = {3, 1, 19, 7, 0, 12, 5};
  for (const int streams : {1, 2, 4, 8}) {
    PrefetchCursor cursor(arena.data(), blocks, kStrideBytes, kBlockBytes, streams, 1 << 20);
    EXPECT_EQ(cursor.remaining(), blocks.size() * 5);
    EXPECT_EQ(cursor.Fetch(0), 0u);
    EXPECT_EQ(cursor.Fetch(3), 3u);
    EXPECT_EQ(cursor.remaining(), blocks.size() * 5 - 3);
    EXPECT_EQ(cursor.Fetch(1000), blocks.size() * 5 - 3);
    EXPECT_EQ(cursor.Fetch(1), 0u);
  }
}

TEST(PrefetchCursor, TakesALineOfEachStreamInTurn) {
  const std::vector<std::byte> arena(20 * kStrideBytes);
  const std::vector<uint32_t> blocks = {3, 1, 19, 7, 0};
  for (const size_t streams : {1, 2, 3, 4, 8}) {
    PrefetchCursor cursor(arena.data(), blocks, kStrideBytes, kBlockBytes,
                          static_cast<int>(streams), 1 << 20);
    for (size_t first = 0; first < blocks.size(); first += streams) {
      const size_t end = std::min(first + streams, blocks.size());
      for (size_t line = 0; line < kBlockBytes / kCacheLineBytes; ++line) {
        for (size_t i = first; i < end; ++i) {
          ASSERT_EQ(cursor.Next(),
                    arena.data() + blocks[i] * kStrideBytes + line * kCacheLineBytes);
        }
      }
    }
    EXPECT_EQ(cursor.remaining(), 0u);
  }
}

TEST(PrefetchCursor, StopsAtItsBudget) {
  const std::vector<std::byte> arena(4 * kStrideBytes);
  const std::vector<uint32_t> blocks = {0, 1, 2, 3};
  PrefetchCursor cursor(arena.data(), blocks, kStrideBytes, kBlockBytes, 4,
                        7 * kCacheLineBytes + 63);
  EXPECT_EQ(cursor.Fetch(1000), 7u);
}

TEST(PrefetchCursor, HasNothingToDoWithoutBlocks) {
  PrefetchCursor cursor(nullptr, {}, kStrideBytes, kBlockBytes, 4, 1 << 20);
  EXPECT_EQ(cursor.Fetch(10), 0u);
}

}  // namespace
}  // namespace bitfetch
