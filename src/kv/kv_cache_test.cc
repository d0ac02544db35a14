// SPDX-License-Identifier: Apache-2.0
#include "kv/kv_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <span>
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
    for (size_t t = 0; t < tokens.size(); ++t) ASSERT_EQ(ReadToken(*view, t), tokens[t]);
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

TEST(KvCache, MemoryUseIsWhatWasMappedAndGrowsInPlace) {
  auto config = SmallConfig({}, 1 << 20);
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
    EXPECT_LE(cache.MappedBytes(), (blocks * block_bytes + (64 << 10)) * kLayers);
  }
  EXPECT_EQ(cache.View(0)->arena, arena);
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
