// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_KV_TEST_TILES_H_
#define BITFETCH_KV_TEST_TILES_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "base/float16.h"
#include "kv/tile.h"

// For tests: the plainest way to read what tiles hold, by the words of kv/tile.h.
namespace bitfetch {

template <class T>
T ReadElement(const std::byte* from, size_t index) {
  T element;
  std::memcpy(&element, from + index * sizeof(T), sizeof(T));
  return element;
}

// Value `dim` of token `slot` of a tile: `float_index` into one of floats, or code `code_index`
// (counted as if each had a byte) of a quantised one.
inline float ReadTile(const std::byte* tile, KvType type, int head_dim, int dim, int slot,
                      size_t float_index, size_t code_index) {
  const std::byte* codes = tile + KvScalesBytes(type, head_dim);
  const auto scale = [&] { return F16ToF32(ReadElement<uint16_t>(tile, dim / 32 * 16 + slot)); };
  switch (type) {
    case KvType::kF32:
      return ReadElement<float>(tile, float_index);
    case KvType::kF16:
      return F16ToF32(ReadElement<uint16_t>(tile, float_index));
    case KvType::kBF16:
      return BF16ToF32(ReadElement<uint16_t>(tile, float_index));
    case KvType::kQ8_0:
      return scale() * static_cast<float>(ReadElement<int8_t>(codes, code_index));
    case KvType::kQ4_0: {
      const size_t line = code_index / 64;
      const int both = ReadElement<uint8_t>(codes, line / 2 * 64 + code_index % 64);
      return scale() * static_cast<float>((line % 2 == 0 ? both % 16 : both / 16) - 8);
    }
  }
  return 0;
}

inline float ReadKey(const KvView& view, int64_t token, int head, int dim) {
  const std::byte* tile = view.Block(token / 16) + head * view.layout.head_bytes();
  const int slot = static_cast<int>(token % 16);
  return ReadTile(tile, view.layout.types.k, view.layout.head_dim, dim, slot, dim * 16 + slot,
                  (dim / 4 * 16 + slot) * 4 + dim % 4);
}

inline float ReadValue(const KvView& view, int64_t token, int head, int dim) {
  const std::byte* tile =
      view.Block(token / 16) + head * view.layout.head_bytes() + view.layout.k_tile_bytes();
  const int slot = static_cast<int>(token % 16);
  return ReadTile(tile, view.layout.types.v, view.layout.head_dim, dim, slot,
                  (dim / 16 * 16 + slot) * 16 + dim % 16,
                  ((dim / 16 * 4 + slot / 4) * 16 + dim % 16) * 4 + slot % 4);
}

// A whole token as it reads back: [kv_heads][head_dim] of K, then of V.
inline std::vector<float> ReadToken(const KvView& view, int64_t token) {
  std::vector<float> floats;
  for (const auto read : {ReadKey, ReadValue}) {
    for (int head = 0; head < view.layout.kv_heads; ++head) {
      for (int d = 0; d < view.layout.head_dim; ++d) floats.push_back(read(view, token, head, d));
    }
  }
  return floats;
}

}  // namespace bitfetch

#endif  // BITFETCH_KV_TEST_TILES_H_
