// SPDX-License-Identifier: Apache-2.0
#include <cstdint>

#include "base/float16.h"
#include "kv/quantize.h"
#include "kv/store_isa.h"

namespace bitfetch::scalar {
namespace {

// Where a dim of the token in a slot lies in a tile of floats, and among the codes of a quantised
// tile if each had a byte (tile.h).
struct Key {
  static size_t Float(int dim, int slot) { return dim * kTileTokens + slot; }
  static size_t Code(int dim, int slot) { return (dim / 4 * kTileTokens + slot) * 4 + dim % 4; }
};
struct Value {
  static size_t Float(int dim, int slot) { return (dim / 16 * kTileTokens + slot) * 16 + dim % 16; }
  static size_t Code(int dim, int slot) {
    return ((dim / 16 * 4 + slot / 4) * 16 + dim % 16) * 4 + slot % 4;
  }
};

template <class Place, class Element, class Convert>
void StoreFloats(const float* x, int head_dim, int slot, std::byte* tile, const Convert& convert) {
  auto* elements = reinterpret_cast<Element*>(tile);
  for (int d = 0; d < head_dim; ++d) elements[Place::Float(d, slot)] = convert(x[d]);
}

void PutByte(uint8_t* codes, size_t index, uint8_t code) { codes[index] = code; }

// Even lines in the low half of a byte, odd ones in the high half.
void PutNibble(uint8_t* codes, size_t index, uint8_t code) {
  const size_t line = index / kCacheLineBytes;
  uint8_t& byte = codes[line / 2 * kCacheLineBytes + index % kCacheLineBytes];
  const bool odd = line % 2 != 0;
  byte = static_cast<uint8_t>(odd ? (byte & 0x0f) | code << 4 : (byte & 0xf0) | code);
}

template <class Place, class Quantize, class Put>
void StoreCodes(const float* x, int head_dim, int slot, std::byte* tile, size_t scales_bytes,
                const Quantize& quantize, const Put& put) {
  auto* scales = reinterpret_cast<uint16_t*>(tile);
  auto* codes = reinterpret_cast<uint8_t*>(tile + scales_bytes);
  for (int first = 0; first < head_dim; first += kQuantizedDims) {
    uint8_t group[kQuantizedDims];
    scales[first / kQuantizedDims * kTileTokens + slot] = quantize(x + first, group);
    for (int i = 0; i < kQuantizedDims; ++i) put(codes, Place::Code(first + i, slot), group[i]);
  }
}

template <class Place>
void StoreHead(KvType type, const float* x, int head_dim, int slot, std::byte* tile) {
  const size_t scales_bytes = KvScalesBytes(type, head_dim);
  switch (type) {
    case KvType::kF32:
      return StoreFloats<Place, float>(x, head_dim, slot, tile, [](float value) { return value; });
    case KvType::kF16:
      return StoreFloats<Place, uint16_t>(x, head_dim, slot, tile, F32ToF16);
    case KvType::kBF16:
      return StoreFloats<Place, uint16_t>(x, head_dim, slot, tile, F32ToBF16);
    case KvType::kQ8_0:
      return StoreCodes<Place>(x, head_dim, slot, tile, scales_bytes, QuantizeQ8, PutByte);
    case KvType::kQ4_0:
      return StoreCodes<Place>(x, head_dim, slot, tile, scales_bytes, QuantizeQ4, PutNibble);
  }
}

}  // namespace

void StoreToken(const KvLayout& layout, int slot, const float* k, const float* v,
                std::byte* block) {
  for (int head = 0; head < layout.kv_heads; ++head) {
    std::byte* tile = block + head * layout.head_bytes();
    const int64_t first = int64_t{head} * layout.head_dim;
    StoreHead<Key>(layout.types.k, k + first, layout.head_dim, slot, tile);
    StoreHead<Value>(layout.types.v, v + first, layout.head_dim, slot,
                     tile + layout.k_tile_bytes());
  }
}

}  // namespace bitfetch::scalar
