// SPDX-License-Identifier: Apache-2.0
#include "tier/disk_tier.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <numeric>
#include <vector>

#include "base/temp_dir.h"
#include "kv/test_cache.h"

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

class DiskTierTest : public testing::Test {
 protected:
  // A process of its own: a pool that is empty, and the folder.
  struct Process {
    std::shared_ptr<BlockPool> pool;
    std::unique_ptr<DiskTier> tier;

    KvCache Open(int64_t limit) const { return KvCache::Open(pool, limit).value(); }
    // All that can be had: how many tokens the cache holds more.
    int64_t Adopt(KvCache& cache, const BlockKey& root, std::span<const int> tokens) const {
      int64_t adopted = tier->Adopt(cache, root, tokens);
      while (tier->IsComing(cache, root, tokens)) {
        tier->Wait();
        adopted += tier->Adopt(cache, root, tokens);
      }
      return adopted;
    }
  };
  Process Start(int64_t blocks, int64_t max_bytes = 1 << 24) {
    Process process{.pool = BlockPool::Create(SmallConfig({}, blocks * 16)).value(),
                    .tier = nullptr};
    process.tier = DiskTier::Open(folder_, max_bytes, {}, process.pool).value();
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

TEST_F(DiskTierTest, TheNextProcessGoesOnFromWhatWasWritten) {
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

TEST_F(DiskTierTest, MemoryAndDiskTakeTurns) {
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

TEST_F(DiskTierTest, WhatIsDamagedAndAllBehindItIsComputedAgain) {
  const std::vector<int> tokens = Tokens(16 * 6);
  const std::vector<BlockKey> keys = WriteAll(tokens);
  std::string digits;
  for (const uint8_t byte : keys[3].digest) digits += fmt::format("{:02x}", byte);
  std::filesystem::resize_file(folder_ + "/" + digits + ".kv", 300);
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

TEST_F(DiskTierTest, TakesNoMoreThanThePoolHas) {
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
TEST_F(DiskTierTest, WritesAllHoweverMuchComesAtOnce) {
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
    const auto tier = DiskTier::Open(folder_, int64_t{1} << 30, {}, pool).value();
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

}  // namespace
}  // namespace bitfetch
