// SPDX-License-Identifier: Apache-2.0
// What is appended reads back, as its type holds it.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <span>
#include <vector>

#include "base/test_effort.h"
#include "base/test_random.h"
#include "kv/kv_cache.h"
#include "kv/test_cache.h"

namespace bitfetch {
namespace {

class KvCacheFuzz : public testing::TestWithParam<KvTypes> {};

TEST_P(KvCacheFuzz, ActsLikeAListOfTokens) {
  std::mt19937 random(7);
  auto config = SmallConfig(GetParam());
  for (const BlockPlacement placement : {BlockPlacement::kContiguous, BlockPlacement::kShuffled}) {
    config.placement = placement;
    std::vector<Sequence> sequences;
    sequences.push_back({KvCache::Create(config).value(), {}});
    sequences[0].tokens.resize(kLayers);
    for (int step = 0; step < (kIsSlow ? 20 : 60); ++step) {
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

INSTANTIATE_TEST_SUITE_P(All, KvCacheFuzz, testing::ValuesIn(EveryMix()));

// Every shape, through more than one block and several heads.
TEST(KvCache, EveryHeadDimReadsBack) {
  std::mt19937 random(8);
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
      std::vector<float> k = RandomFloats(kTokens * token_floats, random);
      std::vector<float> v = RandomFloats(kTokens * token_floats, random);
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

}  // namespace
}  // namespace bitfetch
