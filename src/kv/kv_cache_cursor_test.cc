// SPDX-License-Identifier: Apache-2.0
// What is fetched a stage ahead is what attention then reads.
#include <gtest/gtest.h>

#include <set>
#include <vector>

#include "kv/kv_cache.h"

namespace bitfetch {
namespace {

constexpr int kTokens = 100;

KvCache Filled(BlockPlacement placement, size_t l2_budget_bytes) {
  KvCache cache = KvCache::Create({.layers = 3,
                                   .kv_heads = 2,
                                   .head_dim = 32,
                                   .types = {},
                                   .limit = 256,
                                   .pages = PageSize::k4K,
                                   .placement = placement,
                                   .l2_budget_bytes = l2_budget_bytes})
                      .value();
  const std::vector<float> floats(kTokens * 2 * 32, 1.0f);
  for (int layer = 0; layer < 3; ++layer) {
    EXPECT_TRUE(cache.Append(layer, kTokens, floats.data(), floats.data()));
  }
  return cache;
}

std::set<const std::byte*> LinesOf(PrefetchCursor cursor) {
  std::set<const std::byte*> lines;
  while (cursor.remaining() > 0) lines.insert(cursor.Next());
  return lines;
}

// The lines of the tiles that hold tokens [begin, end).
std::set<const std::byte*> Tiles(const KvView& view, int64_t begin, int64_t end) {
  std::set<const std::byte*> lines;
  for (int64_t tile = begin / kTileTokens; tile * kTileTokens < end; ++tile) {
    for (size_t at = 0; at < view.layout.block_bytes(); at += kCacheLineBytes) {
      lines.insert(view.Block(tile) + at);
    }
  }
  return lines;
}

TEST(KvCacheCursor, HasEachLineOfItsTokensOnce) {
  for (const auto placement : {BlockPlacement::kContiguous, BlockPlacement::kShuffled}) {
    const KvCache cache = Filled(placement, size_t{1} << 20);
    for (int layer = 0; layer < 3; ++layer) {
      const KvView view = cache.View(layer).value();
      for (const auto& [begin, end] : {std::pair{0, 100}, {0, 1}, {32, 81}, {96, 100}, {48, 48}}) {
        const PrefetchCursor cursor = cache.Cursor(layer, begin, end).value();
        const auto tiles = Tiles(view, begin, end);
        EXPECT_EQ(cursor.remaining(), tiles.size());
        EXPECT_EQ(LinesOf(cursor), tiles);
      }
    }
  }
}

TEST(KvCacheCursor, TakesALineOfEachBlockOfAWalkInTurn) {
  const KvCache cache = Filled(BlockPlacement::kShuffled, size_t{1} << 20);
  const KvView view = cache.View(0).value();
  PrefetchCursor cursor = cache.Cursor(0, 0, kTokens, 4).value();
  const size_t block = view.layout.block_bytes();
  for (const auto& [first, tiles] : {std::pair{0, 4}, {4, 3}}) {
    for (size_t at = 0; at < block; at += kCacheLineBytes) {
      for (int tile = 0; tile < tiles; ++tile) {
        ASSERT_EQ(cursor.Next(), view.Block(first + tile) + at);
      }
    }
  }
  EXPECT_EQ(cache.Cursor(0, 0, kTokens, 8)->remaining(), 7 * block / kCacheLineBytes);
  cursor = cache.Cursor(0, 0, kTokens, 8).value();
  for (int tile = 0; tile < 7; ++tile) EXPECT_EQ(cursor.Next(), view.Block(tile));
}

TEST(KvCacheCursor, LeavesOutWhatIsNotStored) {
  const KvCache cache = Filled(BlockPlacement::kShuffled, size_t{1} << 20);
  const KvView view = cache.View(1).value();
  EXPECT_EQ(LinesOf(cache.Cursor(1, 64, 1 << 20).value()), Tiles(view, 64, kTokens));
  EXPECT_EQ(cache.Cursor(1, 112, 256)->remaining(), 0u);
  EXPECT_EQ(cache.Cursor(1, 0, -5)->remaining(), 0u);
  EXPECT_EQ(cache.Cursor(1, 64, 32)->remaining(), 0u);
}

TEST(KvCacheCursor, KeepsToTheBudget) {
  const KvCache cache = Filled(BlockPlacement::kContiguous, 10 * kCacheLineBytes);
  EXPECT_EQ(cache.Cursor(0, 0, kTokens)->remaining(), 10u);
}

TEST(KvCacheCursor, ALayerOutOfRangeIsAnError) {
  const KvCache cache = Filled(BlockPlacement::kContiguous, size_t{1} << 20);
  for (const int layer : {-1, 3}) {
    const auto cursor = cache.Cursor(layer, 0, 16);
    ASSERT_FALSE(cursor);
    EXPECT_EQ(cursor.error().message,
              fmt::format("layer {} is out of range: the cache has 3 layers", layer));
  }
}

TEST(KvCacheCursor, WhatWasFetchedIsCounted) {
  KvCache cache = Filled(BlockPlacement::kContiguous, size_t{1} << 20);
  PrefetchCursor cursor = cache.Cursor(0, 0, kTokens).value();
  EXPECT_EQ(cursor.Fetch(3), 3u);
  EXPECT_EQ(cache.traffic().prefetched_bytes, 0);
  cache.CountPrefetched(3 * kCacheLineBytes);
  EXPECT_EQ(cache.traffic().prefetched_bytes, int64_t{3} * kCacheLineBytes);
}

}  // namespace
}  // namespace bitfetch
