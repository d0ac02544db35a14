// SPDX-License-Identifier: Apache-2.0
#include "kv/store.h"

#include <cstdint>
#include <cstring>

#include "base/float16.h"

namespace bitfetch {
namespace {

constexpr int kDimGroup = 16;  // of a V tile

template <class Element>
Element Convert(float value) {
  if constexpr (sizeof(Element) == sizeof(float)) {
    return value;
  } else {
    return F32ToF16(value);
  }
}

// K tile [head_dim][16 tokens]: a token is a column.
template <class Element>
void StoreKey(const float* key, int head_dim, int slot, Element* tile) {
  for (int d = 0; d < head_dim; ++d) tile[d * kTileTokens + slot] = Convert<Element>(key[d]);
}

// V tile [head_dim / 16][16 tokens][16 dims]: a token is a row of each group of dims.
template <class Element>
void StoreValue(const float* value, int head_dim, int slot, Element* tile) {
  for (int group = 0; group < head_dim / kDimGroup; ++group) {
    Element* row = tile + (group * kTileTokens + slot) * kDimGroup;
    for (int d = 0; d < kDimGroup; ++d) row[d] = Convert<Element>(value[group * kDimGroup + d]);
  }
}

}  // namespace

void StoreToken(const KvLayout& layout, int slot, const float* k, const float* v,
                std::byte* block) {
  for (int head = 0; head < layout.kv_heads; ++head) {
    std::byte* k_tile = block + head * layout.head_bytes();
    std::byte* v_tile = k_tile + layout.k_tile_bytes();
    const float* key = k + int64_t{head} * layout.head_dim;
    const float* value = v + int64_t{head} * layout.head_dim;
    if (layout.types.k == KvType::kF32) {
      StoreKey(key, layout.head_dim, slot, reinterpret_cast<float*>(k_tile));
    } else {
      StoreKey(key, layout.head_dim, slot, reinterpret_cast<uint16_t*>(k_tile));
    }
    if (layout.types.v == KvType::kF32) {
      StoreValue(value, layout.head_dim, slot, reinterpret_cast<float*>(v_tile));
    } else {
      StoreValue(value, layout.head_dim, slot, reinterpret_cast<uint16_t*>(v_tile));
    }
  }
}

}  // namespace bitfetch
