// SPDX-License-Identifier: Apache-2.0
#include "kv/tile.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "kv/kv_cache.h"
#include "kv/test_cache.h"

namespace bitfetch {
namespace {

// Kernels load whole lines, of scales too.
TEST(KvLayout, TilesAreWholeLinesAndPaddingIsZero) {
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
