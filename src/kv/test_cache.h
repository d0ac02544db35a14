// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_KV_TEST_CACHE_H_
#define BITFETCH_KV_TEST_CACHE_H_

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <ostream>
#include <random>
#include <span>
#include <vector>

#include "base/float16.h"
#include "base/same_bits.h"
#include "base/test_random.h"
#include "kv/kv_cache.h"
#include "kv/test_tiles.h"

// For tests: a small cache, and the plainest thing that holds the same.
namespace bitfetch {

inline constexpr int kLayers = 3;
inline constexpr int kHeads = 2;
inline constexpr int kDim = 32;
inline constexpr int kTokenFloats = kHeads * kDim;

inline KvConfig SmallConfig(KvTypes types = {}, int64_t limit = 400) {
  return {.layers = kLayers,
          .kv_heads = kHeads,
          .head_dim = kDim,
          .types = types,
          .limit = limit,
          .pages = PageSize::k4K};
}

// As parametrised tests are named.
inline void PrintTo(KvTypes types, std::ostream* out) { *out << KvTypesName(types); }

inline std::vector<KvTypes> EveryMix() {
  std::vector<KvTypes> mixes;
  for (const KvType k : kKvTypes) {
    for (const KvType v : kKvTypes) mixes.push_back({k, v});
  }
  return mixes;
}

// What a value becomes in a group of 32, by the formulas of llama.cpp's references, in the plainest
// words.
inline void QuantizeByDefinition(KvType type, float* group) {
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
inline void StoreByDefinition(KvType type, std::span<float> floats) {
  if (IsQuantized(type)) {
    for (size_t i = 0; i < floats.size(); i += 32) QuantizeByDefinition(type, floats.data() + i);
    return;
  }
  for (float& x : floats) {
    if (type == KvType::kF16) x = F16ToF32(F32ToF16(x));
    if (type == KvType::kBF16) x = BF16ToF32(F32ToBF16(x));
  }
}

// A cache beside the plainest thing that could hold the same: a list of tokens for each layer.
struct Sequence {
  KvCache cache;
  std::vector<std::vector<std::vector<float>>> tokens;  // [layers][tokens][2 x kTokenFloats]
};

inline void ExpectSame(const Sequence& sequence) {
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

inline std::vector<float> RandomToken(std::mt19937& random) {
  return RandomFloats(2 * kTokenFloats, random);
}

inline void Append(Sequence& sequence, int layer, int count, std::mt19937& random) {
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

}  // namespace bitfetch

#endif  // BITFETCH_KV_TEST_CACHE_H_
