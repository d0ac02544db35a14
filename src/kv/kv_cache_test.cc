// SPDX-License-Identifier: Apache-2.0
#include "kv/kv_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <mutex>
#include <random>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "base/float16.h"
#include "kv/test_tiles.h"

namespace bitfetch {
namespace {

constexpr int kLayers = 3;
constexpr int kHeads = 2;
constexpr int kDim = 32;
constexpr int kTokenFloats = kHeads * kDim;

KvConfig SmallConfig(KvTypes types = {}, int64_t limit = 400) {
  return {.layers = kLayers,
          .kv_heads = kHeads,
          .head_dim = kDim,
          .types = types,
          .limit = limit,
          .pages = PageSize::k4K};
}

// What a value becomes in a group of 32, by the formulas of llama.cpp's references, in the plainest
// words.
void QuantizeByDefinition(KvType type, float* group) {
  float extreme = 0;
  for (int i = 0; i < 32; ++i) {
    if (std::fabs(group[i]) > std::fabs(extreme)) extreme = group[i];
  }
  const bool q8 = type == KvType::kQ8_0;
  const float d = q8 ? std::fabs(extreme) / 127 : extreme / -8;
  const float inverse = d == 0 ? 0 : 1 / d;
  for (int i = 0; i < 32; ++i) {
    const float scaled = group[i] * inverse;
    const int integer = q8 ? static_cast<int>(std::lround(scaled))
                           : std::min(15, static_cast<int>(scaled + 8.5f)) - 8;
    group[i] = F16ToF32(F32ToF16(d)) * static_cast<float>(integer);
  }
}

// What floats read back as.
void StoreByDefinition(KvType type, std::span<float> floats) {
  if (IsQuantized(type)) {
    for (size_t i = 0; i < floats.size(); i += 32) QuantizeByDefinition(type, floats.data() + i);
    return;
  }
  for (float& x : floats) {
    if (type == KvType::kF16) x = F16ToF32(F32ToF16(x));
    if (type == KvType::kBF16) x = BF16ToF32(F32ToBF16(x));
  }
}

std::vector<KvTypes> EveryMix() {
  std::vector<KvTypes> mixes;
  for (const KvType k : kKvTypes) {
    for (const KvType v : kKvTypes) mixes.push_back({k, v});
  }
  return mixes;
}

bool SameBits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

// A cache beside the plainest thing that could hold the same: a list of tokens for each layer.
struct Sequence {
  KvCache cache;
  std::vector<std::vector<std::vector<float>>> tokens;  // [layers][tokens][2 x kTokenFloats]
};

void ExpectSame(const Sequence& sequence) {
  for (int layer = 0; layer < kLayers; ++layer) {
    const auto view = sequence.cache.View(layer);
    ASSERT_TRUE(view);
    const auto& tokens = sequence.tokens[layer];
    ASSERT_EQ(view->length, static_cast<int64_t>(tokens.size()));
    for (size_t t = 0; t < tokens.size(); ++t) {
      ASSERT_TRUE(SameBits(ReadToken(*view, t), tokens[t])) << "layer " << layer << " token " << t;
    }
  }
}

std::vector<float> RandomToken(std::mt19937& random) {
  std::normal_distribution<float> normal;
  std::vector<float> token(2 * kTokenFloats);
  for (float& value : token) value = normal(random);
  return token;
}

void Append(Sequence& sequence, int layer, int count, std::mt19937& random) {
  std::vector<float> k;
  std::vector<float> v;
  std::vector<std::vector<float>> tokens;
  for (int i = 0; i < count; ++i) {
    tokens.push_back(RandomToken(random));
    k.insert(k.end(), tokens[i].begin(), tokens[i].begin() + kTokenFloats);
    v.insert(v.end(), tokens[i].begin() + kTokenFloats, tokens[i].end());
  }
  const auto status = sequence.cache.Append(layer, count, k.data(), v.data());
  if (!status) return;  // full: nothing may have changed, which ExpectSame checks
  const KvTypes types = sequence.cache.View(layer)->layout.types;
  for (auto& token : tokens) {
    StoreByDefinition(types.k, std::span(token).first(kTokenFloats));
    StoreByDefinition(types.v, std::span(token).last(kTokenFloats));
  }
  auto& held = sequence.tokens[layer];
  held.insert(held.end(), tokens.begin(), tokens.end());
}

class KvCacheFuzz : public testing::TestWithParam<std::tuple<KvTypes, BlockPlacement>> {};

TEST_P(KvCacheFuzz, ActsLikeAListOfTokens) {
  std::mt19937 random(7);
  auto config = SmallConfig(std::get<0>(GetParam()));
  config.placement = std::get<1>(GetParam());
  for (int round = 0; round < 2; ++round) {
    std::vector<Sequence> sequences;
    sequences.push_back({KvCache::Create(config).value(), {}});
    sequences[0].tokens.resize(kLayers);
    for (int step = 0; step < 60; ++step) {
      Sequence& sequence = sequences[random() % sequences.size()];
      switch (random() % 8) {
        case 0:
          if (sequences.size() < 4) {
            Sequence fork{sequence.cache.Fork(), sequence.tokens};
            sequences.push_back(std::move(fork));
          } else {
            sequences.erase(sequences.begin() + random() % sequences.size());
          }
          break;
        case 1: {
          const size_t length = random() % 150;
          sequence.cache.Truncate(static_cast<int64_t>(length));
          for (auto& tokens : sequence.tokens) {
            if (tokens.size() > length) tokens.resize(length);
          }
          break;
        }
        case 2:
          if (random() % 8 == 0) {
            sequence.cache.Clear();
            for (auto& tokens : sequence.tokens) tokens.clear();
          }
          break;
        default: {
          const int count = static_cast<int>(random() % 40);
          if (random() % 4 == 0) {
            Append(sequence, static_cast<int>(random() % kLayers), count, random);
          } else {
            for (int layer = 0; layer < kLayers; ++layer) Append(sequence, layer, count, random);
          }
        }
      }
      for (const Sequence& each : sequences) ExpectSame(each);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, KvCacheFuzz,
                         testing::Combine(testing::ValuesIn(EveryMix()),
                                          testing::Values(BlockPlacement::kContiguous,
                                                          BlockPlacement::kShuffled)));

// Every shape, through more than one block and several heads.
TEST(KvCache, EveryHeadDimReadsBack) {
  std::mt19937 random(8);
  std::normal_distribution<float> normal;
  for (const int dims : {16, 32, 48, 64, 80, 96, 128, 192, 256, 4096}) {
    for (const KvTypes types : EveryMix()) {
      const int step = std::max(KvDimStep(types.k), KvDimStep(types.v));
      KvConfig config = SmallConfig(types, 32);
      config.head_dim = dims;
      auto cache = KvCache::Create(config);
      ASSERT_EQ(cache.has_value(), dims % step == 0) << dims;
      if (!cache) continue;
      constexpr int kTokens = 19;
      const size_t token_floats = size_t{kHeads} * dims;
      std::vector<float> k(kTokens * token_floats);
      std::vector<float> v(k.size());
      for (auto* floats : {&k, &v}) std::ranges::generate(*floats, [&] { return normal(random); });
      ASSERT_TRUE(cache->Append(1, kTokens, k.data(), v.data()));
      StoreByDefinition(types.k, k);
      StoreByDefinition(types.v, v);
      for (int t = 0; t < kTokens; ++t) {
        std::vector<float> expected(k.begin() + t * token_floats,
                                    k.begin() + (t + 1) * token_floats);
        expected.insert(expected.end(), v.begin() + t * token_floats,
                        v.begin() + (t + 1) * token_floats);
        ASSERT_TRUE(SameBits(ReadToken(*cache->View(1), t), expected))
            << KvTypesName(types) << " " << dims;
      }
    }
  }
}

// Kernels load whole lines, of scales too.
TEST(KvCache, TilesAreWholeLinesAndPaddingIsZero) {
  for (const KvTypes types : EveryMix()) {
    for (const int dims : {32, 64, 96, 128, 160, 256}) {
      const KvLayout layout{.kv_heads = 1, .head_dim = dims, .types = types};
      for (const size_t bytes : {layout.k_scales_bytes(), layout.v_scales_bytes(),
                                 layout.k_tile_bytes(), layout.v_tile_bytes()}) {
        ASSERT_EQ(bytes % 64, 0u);
      }
    }
  }
  KvConfig config = SmallConfig({KvType::kQ8_0, KvType::kQ4_0}, 64);
  config.head_dim = 96;
  auto cache = KvCache::Create(config).value();
  const std::vector<float> ones(size_t{32} * kHeads * 96, 1.0f);
  for (int round = 0; round < 2; ++round) {  // the second in blocks that were used before
    for (int layer = 0; layer < kLayers; ++layer) {
      ASSERT_TRUE(cache.Append(layer, 32, ones.data(), ones.data()));
      const KvView view = *cache.View(layer);
      for (int64_t tile = 0; tile < 2; ++tile) {
        for (const size_t at : {size_t{0}, view.layout.k_tile_bytes()}) {
          for (size_t i = 3 * 16 * sizeof(uint16_t); i < 128; ++i) {
            ASSERT_EQ(view.Block(tile)[at + i], std::byte{0});
          }
        }
      }
    }
    cache.Clear();
  }
}

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
  auto cache = KvCache::Create(SmallConfig({}, 32)).value();
  std::vector<float> ones(32 * kTokenFloats, 1.0f);
  const std::vector<float> twos(32 * kTokenFloats, 2.0f);
  ASSERT_TRUE(cache.Append(0, 20, ones.data(), ones.data()));
  KvCache fork = cache.Fork();
  EXPECT_FALSE(fork.Append(0, 1, twos.data(), twos.data()));
  EXPECT_EQ(fork.length(0), 20);
  fork.Clear();
  EXPECT_TRUE(cache.Append(0, 1, ones.data(), ones.data()));
}

// What the system gives beyond the tiles is less than a page (and 64 KiB with small ones), whatever
// the number of layers.
TEST(KvCache, MemoryUseIsItsBlocksAndGrowsInPlace) {
  for (const PageSize pages : {PageSize::k4K, PageSize::kHuge}) {
    const size_t step = pages == PageSize::kHuge ? kHugePageBytes : 64 << 10;
    auto config = SmallConfig({}, 1 << 20);
    config.pages = pages;
    auto cache = KvCache::Create(config).value();
    EXPECT_EQ(cache.MappedBytes(), 0u);
    const std::vector<float> tokens(1000 * kTokenFloats, 3.0f);
    ASSERT_TRUE(cache.Append(0, 1, tokens.data(), tokens.data()));
    const std::byte* arena = cache.View(0)->arena;
    const size_t block_bytes = cache.View(0)->layout.block_bytes();
    for (int i = 0; i < 100; ++i) {
      ASSERT_TRUE(cache.Append(0, 1000, tokens.data(), tokens.data()));
      const size_t blocks = (cache.length(0) + 15) / 16;
      EXPECT_GE(cache.MappedBytes(), blocks * block_bytes * kLayers);
      EXPECT_LT(cache.MappedBytes(), blocks * block_bytes * kLayers + step);
    }
    EXPECT_EQ(cache.View(0)->arena, arena);
  }
}

// The system refuses memory once the process has as much as its limit says. Not under the address
// sanitizer, which takes memory of its own and stops where it finds none.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
size_t DataBytes() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmData:")) return std::strtoull(line.c_str() + 7, nullptr, 10) * 1024;
  }
  return 0;
}

// An emulator may let the limit be set, and then not keep it.
bool MemoryIsLimited(size_t bytes) {
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return true;
  munmap(memory, bytes);
  return false;
}

TEST(KvCache, AFailedAllocationLosesNothing) {
  std::mt19937 random(9);
  for (const PageSize pages : {PageSize::k4K, PageSize::kHuge}) {
    KvConfig config = SmallConfig({KvType::kQ8_0, KvType::kF32}, 1 << 20);
    config.pages = pages;
    Sequence sequence{KvCache::Create(config).value(), {}};
    sequence.tokens.resize(kLayers);
    Append(sequence, 0, 100, random);
    const std::vector<float> tokens(4000 * kTokenFloats);

    rlimit before;
    ASSERT_EQ(getrlimit(RLIMIT_DATA, &before), 0);
    const rlimit limited{DataBytes() + (16 << 20), before.rlim_max};
    ASSERT_EQ(setrlimit(RLIMIT_DATA, &limited), 0);
    if (!MemoryIsLimited(size_t{64} << 20)) GTEST_SKIP() << "nothing limits memory here";
    Status status;
    while (status && sequence.cache.length(0) < (1 << 19)) {
      const int64_t held = sequence.cache.length(0);
      status = sequence.cache.Append(0, 4000, tokens.data(), tokens.data());
      ASSERT_EQ(sequence.cache.length(0), status ? held + 4000 : held);
    }
    config.limit = 1 << 26;
    const auto another = KvCache::Create(config);
    ASSERT_EQ(setrlimit(RLIMIT_DATA, &before), 0);

    ASSERT_FALSE(status);
    EXPECT_THAT(status.error().message, testing::HasSubstr("out of memory"));
    ASSERT_FALSE(another);
    EXPECT_EQ(another.error().message,
              "out of memory: no tables for a KV cache of 67108864 tokens");
    sequence.cache.Truncate(100);
    ExpectSame(sequence);
    Append(sequence, 0, 5000, random);
    ASSERT_EQ(sequence.cache.length(0), 5100);
    ExpectSame(sequence);
  }
}

TEST(KvCache, WithoutAddressSpaceThereIsAnErrorNotACache) {
  rlimit before;
  ASSERT_EQ(getrlimit(RLIMIT_AS, &before), 0);
  const rlimit limited{size_t{4} << 30, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_AS, &limited), 0);
  const auto cache = KvCache::Create(SmallConfig({}, int64_t{1} << 28));
  ASSERT_EQ(setrlimit(RLIMIT_AS, &before), 0);
  ASSERT_FALSE(cache);
  EXPECT_THAT(cache.error().message, testing::HasSubstr("cannot reserve"));
}
#endif

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

TEST(KvCache, F16RoundsHalfToEvenAndSaturates) {
  auto cache = KvCache::Create(SmallConfig()).value();
  std::vector<float> token(kTokenFloats, 1e30f);
  token[0] = 2049.0f;  // between 2048 and 2050
  ASSERT_TRUE(cache.Append(0, 1, token.data(), token.data()));
  const auto read = ReadToken(*cache.View(0), 0);
  EXPECT_EQ(read[0], 2048.0f);
  EXPECT_EQ(read[1], 65504.0f);
  EXPECT_EQ(read[kTokenFloats], 2048.0f);
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

TEST(KvTypes, NamesAndParses) {
  for (const char* name :
       {"f32", "f16", "bf16", "q8_0", "q4_0", "f32:f16", "q8_0:q4_0", "bf16:q4_0"}) {
    const auto types = ParseKvTypes(name);
    ASSERT_TRUE(types) << name;
    EXPECT_EQ(KvTypesName(*types), name);
  }
  EXPECT_EQ(KvTypesName(ParseKvTypes("f16:f16").value()), "f16");
  EXPECT_EQ(ParseKvTypes("q8").error().message,
            "'q8' is no KV type: use f32, f16, bf16, q8_0, q4_0, or one for K and one for V as in "
            "q8_0:q4_0");
  for (const char* name : {"", "f8", "f16:", ":f16", "f16:f16:f16", "F16"}) {
    EXPECT_FALSE(ParseKvTypes(name)) << name;
  }
}

}  // namespace
}  // namespace bitfetch
