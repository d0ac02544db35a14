// SPDX-License-Identifier: Apache-2.0
#include "tier/kv_tier.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <numeric>
#include <vector>

#include "base/temp_dir.h"
#include "kv/test_cache.h"
#include "tier/disk_store.h"
#include "tier/test_store.h"

namespace bitfetch {
namespace {

const BlockKey kRoot = RootKey({}, {}, "");

std::vector<int> Tokens(int64_t count, int first = 0) {
  std::vector<int> tokens(count);
  std::iota(tokens.begin(), tokens.end(), first);
  return tokens;
}

// What a model would append for these tokens.
void Compute(KvCache& cache, std::span<const int> tokens) {
  for (size_t i = cache.length(); i < tokens.size(); ++i) {
    const std::vector<float> floats(kTokenFloats, static_cast<float>(tokens[i]));
    for (int layer = 0; layer < kLayers; ++layer) {
      ASSERT_TRUE(cache.Append(layer, 1, floats.data(), floats.data()));
    }
  }
}

void ExpectComputed(const KvCache& cache, std::span<const int> tokens) {
  for (int layer = 0; layer < kLayers; ++layer) {
    const KvView view = cache.View(layer).value();
    for (int64_t t = 0; t < view.length; ++t) {
      ASSERT_EQ(ReadValue(view, t, 1, 5), static_cast<float>(tokens[t]));
    }
  }
}

class KvTierTest : public testing::Test {
 protected:
  // A process of its own: a pool that is empty, and the folder.
  struct Process {
    std::shared_ptr<BlockPool> pool;
    std::unique_ptr<KvTier> tier;

    KvCache Open(int64_t limit) const { return KvCache::Open(pool, limit).value(); }
    // All that can be had: how many tokens the cache holds more.
    int64_t Adopt(KvCache& cache, const BlockKey& root, std::span<const int> tokens) const {
      StoreCursor cursor;
      int64_t adopted = tier->Adopt(cache, root, tokens, cursor);
      while (tier->IsComing(cache, root, tokens)) {
        tier->Wait();
        adopted += tier->Adopt(cache, root, tokens, cursor);
      }
      return adopted;
    }
  };
  std::unique_ptr<BlockStore> OpenDisk(int64_t max_bytes) const {
    return std::make_unique<DiskStore>(DiskStore::Open(folder_, max_bytes).value());
  }
  Process Start(int64_t blocks, int64_t max_bytes = 1 << 24) {
    Process process{.pool = BlockPool::Create(SmallConfig({}, blocks * 16)).value(),
                    .tier = nullptr};
    process.tier = KvTier::Open(OpenDisk(max_bytes), {}, process.pool).value();
    return process;
  }

  // A process that computes these tokens and ends; the keys of their blocks.
  std::vector<BlockKey> WriteAll(std::span<const int> tokens) {
    const Process first = Start(10);
    KvCache cache = first.Open(160);
    Compute(cache, tokens);
    first.tier->Publish(cache, kRoot, tokens);
    std::vector<BlockKey> keys;
    for (int64_t i = 0; i < cache.published(); ++i) keys.push_back(cache.PublishedKey(i));
    return keys;
  }

  TempDir dir_;
  std::string folder_ = dir_.Path("kv");
};

TEST_F(KvTierTest, TheNextProcessGoesOnFromWhatWasWritten) {
  const std::vector<int> tokens = Tokens(100);
  WriteAll(tokens);
  const Process second = Start(10);
  KvCache cache = second.Open(160);
  EXPECT_EQ(second.Adopt(cache, kRoot, tokens), 96);
  EXPECT_EQ(cache.length(), 96);
  ExpectComputed(cache, tokens);
  // They are published: who comes next has them from memory.
  KvCache other = second.Open(160);
  EXPECT_EQ(other.Adopt(kRoot, tokens), 96);
  // Another salt has another root.
  KvCache salted = second.Open(160);
  EXPECT_EQ(second.Adopt(salted, RootKey({}, {}, "salt"), tokens), 0);
}

TEST_F(KvTierTest, MemoryAndDiskTakeTurns) {
  const std::vector<int> tokens = Tokens(16 * 9);
  WriteAll(tokens);
  const Process second = Start(10);
  {
    KvCache cache = second.Open(160);
    EXPECT_EQ(cache.Adopt(kRoot, tokens), 0);
    Compute(cache, std::span(tokens).first(32));
    cache.Publish(kRoot, tokens);
  }
  KvCache cache = second.Open(160);
  EXPECT_EQ(second.Adopt(cache, kRoot, tokens), 16 * 9);
  ExpectComputed(cache, tokens);
}

TEST_F(KvTierTest, WhatIsDamagedAndAllBehindItIsComputedAgain) {
  const std::vector<int> tokens = Tokens(16 * 6);
  const std::vector<BlockKey> keys = WriteAll(tokens);
  std::filesystem::resize_file(folder_ + "/" + DiskStore::FileName(keys[3]), 300);
  const Process second = Start(10);
  KvCache cache = second.Open(160);
  testing::internal::CaptureStderr();
  EXPECT_EQ(second.Adopt(cache, kRoot, tokens), 48);
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              testing::HasSubstr("a damaged record of KV was removed, and is computed again"));
  Compute(cache, tokens);
  second.tier->Publish(cache, kRoot, tokens);
  ExpectComputed(cache, tokens);
}

TEST_F(KvTierTest, TakesNoMoreThanThePoolHas) {
  const std::vector<int> tokens = Tokens(16 * 8);
  WriteAll(tokens);
  const Process second = Start(8);
  KvCache holds = second.Open(128);
  Compute(holds, Tokens(16 * 5, 1000));
  KvCache cache = second.Open(128);
  EXPECT_EQ(second.Adopt(cache, kRoot, tokens), 16 * 3);
  ExpectComputed(cache, tokens);
  ExpectComputed(holds, Tokens(16 * 5, 1000));
}

// What the writer has no room for is written later, at the latest in the end.
TEST_F(KvTierTest, WritesAllHoweverMuchComesAtOnce) {
  const KvConfig config = {.layers = 8,
                           .kv_heads = 8,
                           .head_dim = 128,
                           .types = {KvType::kF32, KvType::kF32},
                           .limit = 40 * 16,
                           .pages = PageSize::k4K};
  const auto pool = BlockPool::Create(config).value();
  ASSERT_GT(40 * pool->stride_bytes(), BlockWriter::kMaxWaitingBytes);
  const std::vector<int> tokens = Tokens(40 * 16);
  {
    const auto tier = KvTier::Open(OpenDisk(int64_t{1} << 30), {}, pool).value();
    KvCache cache = KvCache::Open(pool, 640).value();
    const std::vector<float> floats(tokens.size() * 8 * 128, 1.0f);
    for (int layer = 0; layer < 8; ++layer) {
      ASSERT_TRUE(cache.Append(layer, 640, floats.data(), floats.data()));
    }
    tier->Publish(cache, kRoot, tokens);
  }
  const DiskStore store = DiskStore::Open(folder_, 0).value();
  EXPECT_EQ(store.List()->size(), 40u);
}

// Over a store in memory, whose times are the test's.
class KvTierTimesTest : public testing::Test {
 protected:
  KvTierTimesTest() {
    auto store = std::make_unique<TestStore>();
    store_ = store.get();
    pool_ = BlockPool::Create(SmallConfig({}, 40 * 16)).value();
    tier_ = KvTier::Open(std::move(store), {}, pool_).value();
    // What another process computed.
    const auto pool = BlockPool::Create(SmallConfig({}, 40 * 16)).value();
    KvCache cache = KvCache::Open(pool, 40 * 16).value();
    Compute(cache, tokens_);
    cache.Publish(kRoot, tokens_);
    for (int64_t i = 0; i < cache.published(); ++i) {
      keys_.push_back(cache.PublishedKey(i));
      const auto block = pool->index().Find(keys_.back());
      EXPECT_TRUE(store_->Write({keys_.back(), {}, {}, {}, {}},
                                {pool->Block(0, *block), pool->stride_bytes()}));
    }
  }

  int64_t AdoptAll(KvCache& cache, StoreCursor& cursor) {
    int64_t adopted = tier_->Adopt(cache, kRoot, tokens_, cursor);
    while (tier_->IsComing(cache, kRoot, tokens_)) {
      tier_->Wait();
      adopted += tier_->Adopt(cache, kRoot, tokens_, cursor);
    }
    return adopted;
  }

  const std::vector<int> tokens_ = Tokens(30 * 16);
  TestStore* store_;
  std::shared_ptr<BlockPool> pool_;
  std::unique_ptr<KvTier> tier_;
  std::vector<BlockKey> keys_;
};

TEST_F(KvTierTimesTest, CountsWhatWasAskedForAndWhatCame) {
  KvCache cache = KvCache::Open(pool_, 40 * 16).value();
  StoreCursor cursor;
  EXPECT_EQ(AdoptAll(cache, cursor), 30 * 16);
  ExpectComputed(cache, tokens_);
  const KvTier::Stats stats = tier_->stats();
  EXPECT_EQ(stats.hit_tokens, 30 * 16);
  EXPECT_GE(stats.queried_tokens, 30 * 16);
  EXPECT_EQ(stats.read_bytes, 30 * static_cast<int64_t>(pool_->stride_bytes()));
  EXPECT_EQ(stats.faults, 0);
}

// A prompt that nobody read before costs one question, however long it is computed.
TEST_F(KvTierTimesTest, ASequenceAsksOnceForWhatIsNotThere) {
  store_->Remove(keys_[5]);
  KvCache cache = KvCache::Open(pool_, 40 * 16).value();
  StoreCursor cursor;
  EXPECT_EQ(AdoptAll(cache, cursor), 5 * 16);
  const int counts = store_->counts;
  for (size_t end = 6 * 16; end < tokens_.size(); end += 16) {
    Compute(cache, std::span(tokens_).first(end));
    tier_->Publish(cache, kRoot, std::span(tokens_).first(end));
    EXPECT_EQ(AdoptAll(cache, cursor), 0);
  }
  EXPECT_EQ(store_->counts, counts);
  // Cut back to before, it may be another text.
  cache.Truncate(2 * 16);
  AdoptAll(cache, cursor);
  EXPECT_EQ(cache.length(), static_cast<int64_t>(tokens_.size()) / 16 * 16 - 16);
}

TEST_F(KvTierTimesTest, ASlowStoreIsGivenUpAndLeftAlone) {
  store_->block_ms = 200;
  tier_->SetBlockSeconds(0.01);
  KvCache cache = KvCache::Open(pool_, 40 * 16).value();
  StoreCursor cursor;
  EXPECT_LE(AdoptAll(cache, cursor), 2 * 16);
  tier_->EndFetching();
  const int counts = store_->counts;
  KvCache other = KvCache::Open(pool_, 40 * 16).value();
  StoreCursor other_cursor;
  EXPECT_LE(AdoptAll(other, other_cursor), 8 * 16);  // what each thread had begun
  EXPECT_EQ(store_->counts, counts);
}

// Whose answer the next request must not wait for, and which counts as slow once.
TEST_F(KvTierTimesTest, AStoreThatHangsIsNotWaitedForByWhoStopsFetching) {
  store_->Hang(true);
  KvCache cache = KvCache::Open(pool_, 40 * 16).value();
  StoreCursor cursor;
  EXPECT_EQ(tier_->Adopt(cache, kRoot, tokens_, cursor), 0);
  EXPECT_TRUE(tier_->IsComing(cache, kRoot, tokens_));
  tier_->StopFetching();
  EXPECT_FALSE(tier_->IsComing(cache, kRoot, tokens_));
  EXPECT_TRUE(store_->Hangs());
  store_->Hang(false);
  tier_->EndFetching();
  KvCache other = KvCache::Open(pool_, 40 * 16).value();
  StoreCursor other_cursor;
  EXPECT_EQ(AdoptAll(other, other_cursor), 30 * 16);
}

TEST_F(KvTierTimesTest, BlocksComeAlsoWhileNobodyWaitsForThem) {
  KvCache cache = KvCache::Open(pool_, 40 * 16).value();
  StoreCursor cursor;
  int64_t adopted = tier_->Adopt(cache, kRoot, tokens_, cursor);
  while (tier_->IsComing(cache, kRoot, tokens_)) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    adopted += tier_->Adopt(cache, kRoot, tokens_, cursor);
  }
  EXPECT_EQ(adopted, 30 * 16);
}

// As in a server, whose passes last longer than the store takes.
TEST_F(KvTierTimesTest, WhoLooksLateFindsAllThatCame) {
  tier_->SetBlockSeconds(0.001);
  KvCache cache = KvCache::Open(pool_, 40 * 16).value();
  StoreCursor cursor;
  int64_t adopted = 0;
  for (int pass = 0; pass < 10 && adopted < 30 * 16; ++pass) {
    adopted += tier_->Adopt(cache, kRoot, tokens_, cursor);
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  EXPECT_EQ(adopted, 30 * 16);
}

TEST_F(KvTierTimesTest, WhatIsComputedBeforeTheStoreAnswersIsNotRead) {
  store_->latency_ms = 50;
  tier_->SetBlockSeconds(0.0001);
  KvCache cache = KvCache::Open(pool_, 40 * 16).value();
  StoreCursor cursor;
  EXPECT_EQ(AdoptAll(cache, cursor), 0);
  tier_->EndFetching();
  EXPECT_EQ(tier_->stats().hit_tokens, 0);
}

}  // namespace
}  // namespace bitfetch
