// SPDX-License-Identifier: Apache-2.0
// Many sequences over one pool: prefixes that are adopted, published and written to, and what the
// pool has for whom.
#include <gtest/gtest.h>
#include <malloc.h>

#include <numeric>
#include <span>
#include <vector>

#include "kv/kv_cache.h"
#include "kv/test_cache.h"

namespace bitfetch {
namespace {

const BlockKey kRoot = RootKey({}, {}, "");

std::shared_ptr<BlockPool> MixedPool(int64_t blocks) {
  return BlockPool::Create(SmallConfig({KvType::kQ8_0, KvType::kF32}, blocks * 16)).value();
}

std::vector<int> Tokens(int64_t count, int first = 0) {
  std::vector<int> tokens(count);
  std::iota(tokens.begin(), tokens.end(), first);
  return tokens;
}

KvCache Open(const std::shared_ptr<BlockPool>& pool, int64_t limit = 16) {
  return KvCache::Open(pool, limit).value();
}

// Every layer gets the tokens [length, length + count), whose values are their numbers.
Status Append(KvCache& cache, int64_t count) {
  std::vector<float> floats;
  for (int64_t i = 0; i < count; ++i) {
    floats.insert(floats.end(), kTokenFloats, static_cast<float>(cache.length() + i));
  }
  for (int layer = 0; layer < kLayers; ++layer) {
    BITFETCH_RETURN_IF_ERROR(cache.Append(layer, count, floats.data(), floats.data()));
  }
  return {};
}

void ExpectNumbers(const KvCache& cache) {
  for (int layer = 0; layer < kLayers; ++layer) {
    const KvView view = cache.View(layer).value();
    ASSERT_EQ(view.length, cache.length());
    for (int64_t t = 0; t < view.length; ++t) {
      ASSERT_EQ(ReadValue(view, t, 1, 5), static_cast<float>(t));
    }
  }
}

std::vector<uint32_t> Table(const KvCache& cache) {
  const KvView view = cache.View(0).value();
  return {view.blocks, view.blocks + (view.length + 15) / 16};
}

TEST(KvCachePrefix, ASequenceGoesOnFromWhatAnotherPublished) {
  const auto pool = MixedPool(20);
  const std::vector<int> tokens = Tokens(100);
  KvCache first = Open(pool, 200);
  EXPECT_EQ(first.Adopt(kRoot, tokens), 0);
  ASSERT_TRUE(Append(first, 70));
  first.Publish(kRoot, tokens);
  EXPECT_EQ(pool->index().size(), 4u) << "full blocks of what is stored, not of all tokens";

  KvCache second = Open(pool, 200);
  EXPECT_EQ(second.Adopt(kRoot, std::span(tokens).first(63)), 48);
  EXPECT_EQ(second.length(), 48);
  EXPECT_EQ(second.Adopt(kRoot, tokens), 16);
  EXPECT_EQ(second.Adopt(kRoot, tokens), 0);
  EXPECT_EQ(second.length(), 64);
  EXPECT_EQ(pool->Available(), 15) << "adopting takes nothing";
  ExpectNumbers(second);
  ASSERT_TRUE(Append(second, 20));
  ExpectNumbers(second);
  ExpectNumbers(first);
  EXPECT_EQ(second.traffic().appended_bytes,
            static_cast<int64_t>(20 * kLayers * pool->layout().block_bytes() / 16));

  // Other tokens in the third block, another salt, fewer tokens than a block.
  std::vector<int> other = tokens;
  other[40] = -1;
  EXPECT_EQ(Open(pool, 200).Adopt(kRoot, other), 32);
  EXPECT_EQ(Open(pool, 200).Adopt(RootKey({}, {}, "other"), tokens), 0);
  EXPECT_EQ(Open(pool, 200).Adopt(kRoot, std::span(tokens).first(15)), 0);
  EXPECT_EQ(Open(pool, 200).Adopt(kRoot, {}), 0);
  EXPECT_EQ(Open(pool, 32).Adopt(kRoot, tokens), 32) << "no more than its limit";
}

TEST(KvCachePrefix, WhatWasComputedTwiceIsSharedOncePublished) {
  const auto pool = MixedPool(20);
  const std::vector<int> tokens = Tokens(40);
  KvCache first = Open(pool, 100);
  KvCache second = Open(pool, 100);
  for (KvCache* cache : {&first, &second}) ASSERT_TRUE(Append(*cache, 40));
  EXPECT_EQ(pool->Available(), 14);
  first.Publish(kRoot, tokens);
  const std::vector<uint32_t> table = Table(first);
  second.Publish(kRoot, tokens);
  EXPECT_EQ(pool->Available(), 16);
  EXPECT_EQ(Table(first), table);
  EXPECT_EQ(Table(second)[0], table[0]);
  EXPECT_EQ(Table(second)[1], table[1]);
  EXPECT_NE(Table(second)[2], table[2]) << "a block that is not full is its own";
  ExpectNumbers(second);
}

TEST(KvCachePrefix, WhatNobodyHoldsStaysUntilThereIsNoRoom) {
  const auto pool = MixedPool(8);
  const std::vector<int> old = Tokens(48);
  const std::vector<int> recent = Tokens(32, 1000);
  for (const auto& tokens : {old, recent}) {
    KvCache cache = Open(pool, 128);
    ASSERT_TRUE(Append(cache, static_cast<int64_t>(tokens.size())));
    cache.Publish(kRoot, tokens);
  }
  EXPECT_EQ(pool->Available(), 8);
  EXPECT_EQ(pool->index().idle(), 5u);

  KvCache cache = Open(pool, 128);
  ASSERT_TRUE(Append(cache, 64));  // one of the old ones has to go: the last
  EXPECT_EQ(pool->index().size(), 4u);
  cache.Clear();
  EXPECT_EQ(cache.Adopt(kRoot, old), 32);
  cache.Clear();  // now they are the recent ones
  ASSERT_TRUE(Append(cache, 80));
  EXPECT_EQ(Open(pool, 128).Adopt(kRoot, recent), 16);
  EXPECT_EQ(Open(pool, 128).Adopt(kRoot, old), 32);
  ASSERT_TRUE(Append(cache, 48));
  EXPECT_EQ(pool->index().size(), 0u);
  EXPECT_EQ(pool->Available(), 0);
}

TEST(KvCachePrefix, WritingIntoAPublishedBlockCopiesIt) {
  const auto pool = MixedPool(8);
  const std::vector<int> tokens = Tokens(32);
  KvCache cache = Open(pool, 128);
  ASSERT_TRUE(Append(cache, 32));
  cache.Publish(kRoot, tokens);
  cache.Truncate(20);
  EXPECT_EQ(cache.Adopt(kRoot, tokens), 0) << "in the middle of a block";
  EXPECT_EQ(cache.BlocksToAppend(12), 0) << "the copy can be done without";
  ASSERT_TRUE(Append(cache, 5));
  EXPECT_EQ(pool->index().size(), 2u);
  EXPECT_EQ(pool->index().idle(), 1u);
  EXPECT_NE(Table(cache)[1],
            pool->index().Find(ChildKey(ChildKey(kRoot, std::span(tokens).first<16>()),
                                        std::span(tokens).last<16>())));
  ExpectNumbers(cache);
  ASSERT_TRUE(Append(cache, 7));
  cache.Publish(kRoot, tokens);
  EXPECT_EQ(pool->index().idle(), 0u) << "it is the old one again";
  EXPECT_EQ(pool->Available(), 6);
  ExpectNumbers(cache);
}

// A session fills its pool, and goes back: there is nobody to make room for it.
TEST(KvCachePrefix, WithoutRoomForTheCopyABlockIsWrittenInPlace) {
  const auto pool = MixedPool(3);
  const std::vector<int> tokens = Tokens(48);
  KvCache cache = Open(pool, 48);
  ASSERT_TRUE(Append(cache, 48));
  cache.Publish(kRoot, tokens);
  cache.Truncate(40);
  EXPECT_EQ(pool->Available(), 0);
  EXPECT_EQ(cache.BlocksToAppend(8), 0);
  EXPECT_TRUE(cache.Reserve(8).value());
  EXPECT_EQ(pool->index().size(), 2u);
  ASSERT_TRUE(Append(cache, 8));
  ExpectNumbers(cache);

  // What comes after it in the index goes first.
  cache.Publish(kRoot, tokens);
  cache.Truncate(10);
  EXPECT_EQ(pool->Available(), 2);
  EXPECT_EQ(cache.BlocksToAppend(38), 2);
  ASSERT_TRUE(Append(cache, 38));
  EXPECT_EQ(pool->index().size(), 0u);
  ExpectNumbers(cache);

  // But not under another sequence.
  cache.Publish(kRoot, tokens);
  const KvCache fork = cache.Fork();
  cache.Truncate(40);
  EXPECT_EQ(cache.BlocksToAppend(1), 1);
  EXPECT_FALSE(Append(cache, 1));
  EXPECT_EQ(pool->index().size(), 3u);
  ExpectNumbers(cache);
  ExpectNumbers(fork);
}

TEST(KvCachePrefix, WhatIsReservedCanBeAppended) {
  const auto pool = MixedPool(6);
  KvCache first = Open(pool, 96);
  KvCache second = Open(pool, 96);
  ASSERT_TRUE(Append(first, 20));
  EXPECT_EQ(first.BlocksToAppend(0), 0);
  EXPECT_EQ(first.BlocksToAppend(-3), 0);
  EXPECT_EQ(first.BlocksToAppend(12), 0);
  EXPECT_EQ(first.BlocksToAppend(13), 1);
  EXPECT_TRUE(first.Reserve(0).value());
  EXPECT_TRUE(first.Reserve(40).value());
  EXPECT_EQ(first.length(), 20);
  EXPECT_EQ(pool->Available(), 2);
  EXPECT_EQ(first.BlocksToAppend(40), 0);

  const Result<bool> no_room = second.Reserve(33);
  ASSERT_TRUE(no_room) << "a scheduler's business, no error";
  EXPECT_FALSE(*no_room);
  EXPECT_EQ(pool->Available(), 2);
  EXPECT_TRUE(second.Reserve(32).value());
  EXPECT_FALSE(Append(second, 33));
  EXPECT_EQ(second.length(), 0);
  EXPECT_EQ(pool->Available(), 0);
  EXPECT_TRUE(Append(first, 40));
  EXPECT_TRUE(Append(second, 32));
  ExpectNumbers(first);
  ExpectNumbers(second);

  second.Truncate(16);
  EXPECT_TRUE(first.Reserve(16).value());
  EXPECT_EQ(pool->Available(), 0);
  first.Truncate(60);
  EXPECT_EQ(pool->Available(), 1) << "truncating gives back what is reserved";
  KvCache fork = first.Fork();
  EXPECT_EQ(fork.BlocksToAppend(4), 1) << "the copy of the last block";
  EXPECT_EQ(fork.BlocksToAppend(5), 2);
  EXPECT_FALSE(fork.Reserve(5).value());
  EXPECT_TRUE(first.Reserve(4).value());
  EXPECT_EQ(fork.BlocksToAppend(4), 0) << "the other has the copy";
}

TEST(KvCachePrefix, BadInputIsAnErrorThatChangesNothing) {
  const auto pool = MixedPool(2);
  for (const int64_t limit : {int64_t{0}, int64_t{-5}}) {
    EXPECT_EQ(KvCache::Open(pool, limit).error().message,
              fmt::format("a sequence of {} tokens is not possible", limit));
  }
  EXPECT_EQ(KvCache::Open(pool, 33).error().message,
            "a sequence of 33 tokens is larger than the whole KV cache, which holds 32");
  KvCache cache = Open(pool, 10);
  EXPECT_EQ(cache.limit(), 16);
  EXPECT_EQ(cache.Reserve(17).error().message,
            "cannot store 17 more tokens behind 0: the KV cache holds 16");
  EXPECT_FALSE(cache.Reserve(-1));
  EXPECT_EQ(Append(cache, 17).error().message,
            "cannot store 17 more tokens behind 0: the KV cache holds 16");
  EXPECT_EQ(pool->Available(), 2);

  // A root or tokens that are not those it was published with: one block, one key.
  ASSERT_TRUE(Append(cache, 16));
  KvCache fork = cache.Fork();
  cache.Publish(kRoot, Tokens(16));
  fork.Publish(RootKey({}, {}, "other"), Tokens(16));
  EXPECT_EQ(pool->index().size(), 1u);
  fork.Publish(kRoot, Tokens(15));
  ExpectNumbers(fork);
  KvCache other = Open(pool, 16);
  ASSERT_TRUE(Append(other, 16));
  EXPECT_EQ(Append(fork, 1).error().message,
            "cannot store 1 more tokens behind 16: the KV cache holds 16");
  KvCache full = Open(pool, 16);
  EXPECT_EQ(Append(full, 1).error().message, "all 2 blocks of the KV cache are in use");
}

TEST(KvCachePrefix, AnotherSequenceCostsNextToNothing) {
  KvConfig config{.layers = 36,
                  .kv_heads = 8,
                  .head_dim = 128,
                  .types = {},
                  .limit = 65536,
                  .pages = PageSize::k4K};
  const auto pool = BlockPool::Create(config).value();
  { const KvCache warm = Open(pool, 65536); }
  const size_t before = mallinfo2().uordblks;
  const KvCache cache = Open(pool, 65536);
  EXPECT_LT(mallinfo2().uordblks - before, 64u << 10);
  EXPECT_EQ(pool->MappedBytes(), 0u);
}

}  // namespace
}  // namespace bitfetch
