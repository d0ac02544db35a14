// SPDX-License-Identifier: Apache-2.0
#include "kv/block_pool.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <vector>

#include "kv/test_cache.h"

namespace bitfetch {
namespace {

BlockKey Key(uint8_t number) { return {{number}}; }

std::shared_ptr<BlockPool> PoolOf(int64_t blocks) {
  return BlockPool::Create(SmallConfig({}, blocks * 16)).value();
}

TEST(BlockPool, GivesOutEveryBlockOnceAndThenNothing) {
  for (const auto placement : {BlockPlacement::kContiguous, BlockPlacement::kShuffled}) {
    KvConfig config = SmallConfig({}, 65);  // 5 blocks
    config.placement = placement;
    const auto pool = BlockPool::Create(config).value();
    ASSERT_EQ(pool->limit(), 5u);
    std::set<uint32_t> taken;
    for (int left = 5; left > 0; --left) {
      EXPECT_EQ(pool->Available(), left);
      taken.insert(pool->Take().value().value());
    }
    EXPECT_EQ(taken, (std::set<uint32_t>{0, 1, 2, 3, 4}));
    EXPECT_EQ(pool->Available(), 0);
    const size_t mapped = pool->MappedBytes();
    const auto nothing = pool->Take();
    ASSERT_TRUE(nothing) << "a full pool is no error of the system";
    EXPECT_FALSE(*nothing);
    EXPECT_EQ(pool->MappedBytes(), mapped);
    pool->Release(3);
    EXPECT_EQ(pool->Available(), 1);
    EXPECT_EQ(pool->Take().value(), 3u);
  }
}

TEST(BlockPool, TakesIdleBlocksLast) {
  const auto pool = PoolOf(4);
  const uint32_t idle = pool->Take().value().value();
  EXPECT_EQ(pool->Publish(Key(1), idle, std::nullopt), idle);
  EXPECT_TRUE(pool->SharedWithIndexAlone(idle));
  pool->Release(idle);
  EXPECT_EQ(pool->Available(), 4);
  for (int i = 0; i < 3; ++i) EXPECT_NE(pool->Take().value(), idle);
  EXPECT_EQ(pool->index().Find(Key(1)), idle);
  EXPECT_EQ(pool->Take().value(), idle);
  EXPECT_FALSE(pool->Shared(idle));
  EXPECT_EQ(pool->index().size(), 0u);
  EXPECT_FALSE(pool->Adopt(Key(1)));
}

TEST(BlockPool, AnIdleBlockThatIsAdoptedStays) {
  const auto pool = PoolOf(2);
  const uint32_t first = pool->Take().value().value();
  const uint32_t second = pool->Take().value().value();
  pool->Publish(Key(1), first, std::nullopt);
  pool->Publish(Key(2), second, first);
  pool->Release(second);
  pool->Release(first);
  EXPECT_EQ(pool->Available(), 2);
  EXPECT_EQ(pool->Adopt(Key(2)), second);
  EXPECT_EQ(pool->Available(), 0) << "a child that is held holds its parent";
  EXPECT_FALSE(pool->Take().value());
  pool->Release(second);
  EXPECT_EQ(pool->Take().value(), second) << "children go before parents";
  EXPECT_EQ(pool->Take().value(), first);
}

TEST(BlockPool, TheFirstOfTwoThatPublishTheSameStays) {
  const auto pool = PoolOf(3);
  const uint32_t first = pool->Take().value().value();
  const uint32_t second = pool->Take().value().value();
  EXPECT_EQ(pool->Publish(Key(1), first, std::nullopt), first);
  EXPECT_EQ(pool->Publish(Key(1), second, std::nullopt), first);
  EXPECT_EQ(pool->Available(), 2) << "the second is free";
  EXPECT_EQ(pool->Publish(Key(1), first, std::nullopt), first) << "twice is once";
  EXPECT_FALSE(pool->Publish(Key(2), first, std::nullopt)) << "it has a key";
  EXPECT_EQ(pool->index().size(), 1u);
  EXPECT_FALSE(pool->SharedWithIndexAlone(first));
  pool->Release(first);
  EXPECT_TRUE(pool->SharedWithIndexAlone(first));
  pool->Unpublish(first);
  EXPECT_FALSE(pool->Shared(first));
  EXPECT_EQ(pool->Available(), 2);
}

TEST(BlockPool, LongChainsNeedNoStack) {
  constexpr int64_t kLong = 100'000;
  KvConfig config = SmallConfig({}, kLong * 16);
  config.layers = config.kv_heads = 1;
  config.head_dim = 16;
  const auto pool = BlockPool::Create(config).value();
  std::vector<uint32_t> blocks;
  std::optional<uint32_t> parent;
  BlockKey key = RootKey({}, {}, "");
  for (int64_t i = 0; i < kLong; ++i) {
    key = ChildKey(key, std::array<int, 16>{});
    parent = pool->Publish(key, pool->Take().value().value(), parent);
    blocks.push_back(*parent);
  }
  std::ranges::reverse(blocks);
  for (const uint32_t block : blocks) pool->Release(block);
  EXPECT_EQ(pool->Available(), kLong);
  EXPECT_EQ(pool->Adopt(key), blocks[0]);
  EXPECT_EQ(pool->Available(), 0);
  pool->Release(blocks[0]);
  for (const uint32_t block : blocks) ASSERT_EQ(pool->Take().value(), block);
}

}  // namespace
}  // namespace bitfetch
