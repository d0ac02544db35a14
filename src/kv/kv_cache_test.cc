// SPDX-License-Identifier: Apache-2.0
#include "kv/kv_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "kv/store.h"
#include "kv/test_cache.h"

namespace bitfetch {
namespace {

TEST(KvCache, NamesTheLayerThatIsOutOfRange) {
  auto config = SmallConfig();
  config.layers = 30;
  auto cache = KvCache::Create(config);
  ASSERT_TRUE(cache);
  const std::string message = "layer 30 is out of range: the cache has 30 layers";
  const std::vector<float> token(kTokenFloats);
  EXPECT_EQ(cache->Prefetch(30, 1).error().message, message);
  EXPECT_EQ(cache->View(30).error().message, message);
  EXPECT_EQ(cache->Append(30, 1, token.data(), token.data()).error().message, message);
  EXPECT_FALSE(cache->Prefetch(-1, 1));
  EXPECT_TRUE(cache->Prefetch(29, 1));
}

TEST(KvCache, PrefetchIsCutToWhatIsStoredAndToTheBudget) {
  auto config = SmallConfig();
  config.l2_budget_bytes = 10000;
  auto cache = KvCache::Create(config).value();
  EXPECT_EQ(cache.Prefetch(0, 100).value(), 0u);
  const std::vector<float> tokens(200 * kTokenFloats);
  ASSERT_TRUE(cache.Append(0, 17, tokens.data(), tokens.data()));
  const size_t block_bytes = cache.View(0)->layout.block_bytes();
  EXPECT_EQ(cache.Prefetch(0, 0).value(), 0u);
  EXPECT_EQ(cache.Prefetch(0, -5).value(), 0u);
  EXPECT_EQ(cache.Prefetch(0, 1).value(), block_bytes);
  EXPECT_EQ(cache.Prefetch(0, 16).value(), block_bytes);
  EXPECT_EQ(cache.Prefetch(0, 17).value(), 2 * block_bytes);
  EXPECT_EQ(cache.Prefetch(0, 1000000).value(), 2 * block_bytes);
  EXPECT_EQ(cache.Prefetch(1, 17).value(), 0u);
  ASSERT_TRUE(cache.Append(0, 183, tokens.data(), tokens.data()));
  EXPECT_EQ(cache.Prefetch(0, 200).value(), 10000u / 64 * 64);
}

TEST(KvCache, CountsItsTraffic) {
  for (const KvTypes types : EveryMix()) {
    auto cache = KvCache::Create(SmallConfig(types)).value();
    const std::vector<float> tokens(48 * kTokenFloats);
    ASSERT_TRUE(cache.Append(0, 48, tokens.data(), tokens.data()));
    ASSERT_TRUE(cache.Append(1, 7, tokens.data(), tokens.data()));
    ASSERT_FALSE(cache.Append(1, 1000, tokens.data(), tokens.data()));
    const auto block_bytes = static_cast<int64_t>(cache.View(0)->layout.block_bytes());
    EXPECT_EQ(cache.traffic().appended_bytes, 3 * block_bytes + 7 * (block_bytes / 16));
    EXPECT_EQ(cache.traffic().prefetched_bytes, 0);
    const size_t requested = cache.Prefetch(0, 32).value() + cache.Prefetch(1, 7).value();
    EXPECT_EQ(cache.traffic().prefetched_bytes, static_cast<int64_t>(requested));
    EXPECT_EQ(static_cast<int64_t>(cache.View(1)->read_bytes()), block_bytes);
    EXPECT_EQ(cache.View(2)->read_bytes(), 0u);
  }
}

TEST(KvCache, AppendingPastTheLimitLosesNothing) {
  auto cache = KvCache::Create(SmallConfig({}, 32)).value();
  std::vector<float> tokens(33 * kTokenFloats, 1.0f);
  ASSERT_TRUE(cache.Append(0, 30, tokens.data(), tokens.data()));
  const auto status = cache.Append(0, 3, tokens.data(), tokens.data());
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().message, "cannot store 3 more tokens behind 30: the KV cache holds 32");
  EXPECT_EQ(cache.length(0), 30);
  EXPECT_TRUE(cache.Append(0, 2, tokens.data(), tokens.data()));
}

TEST(KvCache, AForkThatFindsNoBlockLosesNothing) {
  auto cache = KvCache::Create(SmallConfig({KvType::kF32, KvType::kF32}, 32)).value();
  std::vector<float> ones(32 * kTokenFloats, 1.0f);
  const std::vector<float> twos(32 * kTokenFloats, 2.0f);
  ASSERT_TRUE(cache.Append(0, 20, ones.data(), ones.data()));
  KvCache fork = cache.Fork();
  EXPECT_FALSE(fork.Append(0, 1, twos.data(), twos.data()));
  EXPECT_EQ(fork.length(0), 20);
  const KvView view = cache.View(0).value();
  EXPECT_EQ(fork.View(0)->Block(1), view.Block(1));
  const auto* key = reinterpret_cast<const float*>(view.Block(1));  // [dim][token]
  EXPECT_EQ(key[3], 1.0f);
  EXPECT_NE(key[4], 2.0f) << "it wrote to what they share";
  EXPECT_TRUE(fork.Append(0, 0, nullptr, nullptr)) << "nothing needs no block";
  EXPECT_EQ(fork.View(0)->Block(1), view.Block(1));
  fork.Clear();
  EXPECT_TRUE(cache.Append(0, 1, ones.data(), ones.data()));
}

// The rule for threads: who appends to a sequence or to its forks takes turns; reading needs none.
TEST(KvCache, ThreadsThatTakeTurnsLoseNothing) {
  auto cache = KvCache::Create(SmallConfig({KvType::kQ8_0, KvType::kQ4_0}, 2000)).value();
  const std::vector<float> start(20 * kTokenFloats, 1.0f);
  ASSERT_TRUE(cache.Append(0, 20, start.data(), start.data()));
  KvCache fork = cache.Fork();
  constexpr int kThreads = 4;
  constexpr int kTokens = 100;
  std::mutex turn;
  {
    std::vector<std::jthread> threads;
    for (int thread = 0; thread < kThreads; ++thread) {
      threads.emplace_back([&, thread] {
        const std::vector<float> token(kTokenFloats, static_cast<float>(thread + 2));
        KvCache& mine = thread % 2 == 0 ? cache : fork;
        for (int i = 0; i < kTokens; ++i) {
          const std::lock_guard lock(turn);
          ASSERT_TRUE(mine.Append(0, 1, token.data(), token.data()));
        }
      });
    }
  }
  std::vector<std::vector<int>> counts(2, std::vector<int>(10));
  {
    std::vector<std::jthread> threads;
    for (const int which : {0, 1}) {
      threads.emplace_back([&, which] {
        const KvView view = *(which == 0 ? cache : fork).View(0);
        for (int64_t t = 0; t < view.length; ++t) {
          ++counts[which][std::lround(ReadKey(view, t, 1, 5))];
        }
      });
    }
  }
  EXPECT_THAT(counts[0], testing::ElementsAre(0, 20, kTokens, 0, kTokens, 0, 0, 0, 0, 0));
  EXPECT_THAT(counts[1], testing::ElementsAre(0, 20, 0, kTokens, 0, kTokens, 0, 0, 0, 0));
}

TEST(KvCache, ObeysTheForcedIsa) {
  const char* before = std::getenv("BITFETCH_ISA");
  const std::string saved = before == nullptr ? "" : before;
  for (const Isa isa : SupportedIsas()) {
    setenv("BITFETCH_ISA", std::string(IsaName(isa)).c_str(), 1);
    EXPECT_TRUE(KvCache::Create(SmallConfig())) << IsaName(isa);
    const auto store = ChooseStore();
    ASSERT_TRUE(store);
    const auto same = [&](const TokenStore& each) { return each.isa == isa; };
    EXPECT_EQ(*store, std::ranges::find_if(SupportedStores(), same)->store);
  }
  setenv("BITFETCH_ISA", "sse9", 1);
  EXPECT_THAT(KvCache::Create(SmallConfig()).error().message, testing::HasSubstr("no ISA 'sse9'"));
  setenv("BITFETCH_ISA", saved.c_str(), 1);
}

TEST(KvCache, RefusesShapesThatNoTileTakes) {
  auto bad = [](auto change) {
    KvConfig config = SmallConfig();
    change(config);
    const auto cache = KvCache::Create(config);
    return cache ? std::string("accepted") : cache.error().message;
  };
  EXPECT_THAT(bad([](KvConfig& c) { c.head_dim = 100; }), testing::HasSubstr("multiple of 16"));
  EXPECT_THAT(bad([](KvConfig& c) { c.head_dim = 0; }), testing::HasSubstr("multiple of 16"));
  const auto quantized_v = [](KvConfig& c) {
    c.head_dim = 80;
    c.types = {KvType::kF16, KvType::kQ4_0};
  };
  EXPECT_EQ(bad(quantized_v),
            "head_dim 80 is not supported by a KV cache of f16:q4_0: it must be a multiple of 32, "
            "at most 4096");
  EXPECT_THAT(bad([](KvConfig& c) { c.kv_heads = 0; }), testing::HasSubstr("one head"));
  EXPECT_THAT(bad([](KvConfig& c) { c.layers = -1; }), testing::HasSubstr("one layer"));
  EXPECT_THAT(bad([](KvConfig& c) { c.limit = 0; }), testing::HasSubstr("0 tokens"));
  EXPECT_THAT(bad([](KvConfig& c) { c.limit = int64_t{1} << 60; }),
              testing::HasSubstr("larger than any memory"));
  const auto wide = [](KvConfig& c) {
    c.layers = 200;
    c.limit = int64_t{1} << 34;
  };
  EXPECT_THAT(bad(wide), testing::HasSubstr("cannot reserve"));
}

}  // namespace
}  // namespace bitfetch
