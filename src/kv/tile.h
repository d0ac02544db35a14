// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_KV_TILE_H_
#define BITFETCH_KV_TILE_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"
#include "prefetch/instruction.h"

namespace bitfetch {

// A tile is this many tokens of one KV head of one layer: the unit of layout and prefetch
// (docs/architecture.md).
inline constexpr int kTileTokens = 16;

// Blocks that so many tokens need.
constexpr int64_t BlocksFor(int64_t tokens) { return (tokens + kTileTokens - 1) / kTileTokens; }

// Kernels take this many tiles together, a chunk, a few rows of each in turn.
inline constexpr int kChunkTiles = 4;

// How K or V is stored: as floats, or as codes of 8 or 4 bits with a scale for every kQuantizedDims
// neighbouring dims of a token (store.h says which).
enum class KvType { kF32, kF16, kBF16, kQ8_0, kQ4_0 };

inline constexpr std::array kKvTypes = {KvType::kF32, KvType::kF16, KvType::kBF16, KvType::kQ8_0,
                                        KvType::kQ4_0};
inline constexpr int kQuantizedDims = 32;

std::string_view KvTypeName(KvType type);           // "f32", "f16", "bf16", "q8_0", "q4_0"
Result<KvType> ParseKvType(std::string_view text);  // the same, read back

constexpr bool IsQuantized(KvType type) { return type == KvType::kQ8_0 || type == KvType::kQ4_0; }

// What a tile's head_dim must be a multiple of.
constexpr int KvDimStep(KvType type) { return IsQuantized(type) ? kQuantizedDims : 16; }

// Bytes of the scales in front of a tile's codes, padded with zeros to a whole line: where the
// codes begin. 0 for floats.
constexpr size_t KvScalesBytes(KvType type, int head_dim) {
  if (!IsQuantized(type)) return 0;
  const size_t bytes = head_dim / kQuantizedDims * kTileTokens * sizeof(uint16_t);
  return (bytes + kCacheLineBytes - 1) / kCacheLineBytes * kCacheLineBytes;
}

// Bytes of a tile, of K and of V alike: whole lines.
constexpr size_t KvTileBytes(KvType type, int head_dim) {
  const size_t elements = size_t{kTileTokens} * head_dim;
  switch (type) {
    case KvType::kF32:
      return elements * 4;
    case KvType::kF16:
    case KvType::kBF16:
      return elements * 2;
    case KvType::kQ8_0:
      return KvScalesBytes(type, head_dim) + elements;
    case KvType::kQ4_0:
      return KvScalesBytes(type, head_dim) + elements / 2;
  }
  return 0;
}

// The types of K and of V.
struct KvTypes {
  KvType k = KvType::kF16;
  KvType v = KvType::kF16;

  friend bool operator==(const KvTypes&, const KvTypes&) = default;
};

std::string KvTypesName(KvTypes types);               // "f16", or "q8_0:q4_0" where K and V differ
Result<KvTypes> ParseKvTypes(std::string_view text);  // the same, read back

// How the tiles of one layer lie in one block: its heads side by side, K before V,
//   block [kv_heads][K tile, V tile]
// each tile in the order in which attention reads it. Floats:
//   K [head_dim][16 tokens], so that a score needs no horizontal sum
//   V [head_dim / 16][16 tokens][16 dims], so that a sum of V stays in registers
// Quantised: the scales as f16, [head_dim / 32][16 tokens], then codes, four neighbours together
// for integer dot products, so that each line is "16 lanes x 4 neighbours":
//   K [head_dim / 4][16 tokens][4 dims]
//   V [head_dim / 16][4 token quads][16 dims][4 tokens]
// q8_0 has a code to a byte. q4_0 packs two such lines into one: byte i holds byte i of the even
// line in its low four bits and byte i of the odd line in its high four.
struct KvLayout {
  int kv_heads = 0;
  int head_dim = 0;  // a multiple of 16; of 32 if K or V is quantised
  KvTypes types = {};

  size_t k_scales_bytes() const { return KvScalesBytes(types.k, head_dim); }
  size_t v_scales_bytes() const { return KvScalesBytes(types.v, head_dim); }
  size_t k_tile_bytes() const { return KvTileBytes(types.k, head_dim); }
  size_t v_tile_bytes() const { return KvTileBytes(types.v, head_dim); }
  size_t head_bytes() const { return k_tile_bytes() + v_tile_bytes(); }
  size_t block_bytes() const { return kv_heads * head_bytes(); }
};

// What one layer of one sequence holds, for reading. Valid until its cache is changed. Slots behind
// `length` in its last block may hold anything.
struct KvView {
  KvLayout layout;
  const std::byte* arena = nullptr;  // where the layer's part of block 0 begins
  size_t stride_bytes = 0;           // from there to that of block 1, and so on
  const uint32_t* blocks =
      nullptr;         // [ceil(length / 16)] which block holds tokens 16 i .. 16 i + 15
  int64_t length = 0;  // tokens

  // What attention over all of it reads: whole tiles.
  size_t read_bytes() const {
    return (length + kTileTokens - 1) / kTileTokens * layout.block_bytes();
  }

  const std::byte* Block(int64_t tile) const { return arena + blocks[tile] * stride_bytes; }
};

}  // namespace bitfetch

#endif  // BITFETCH_KV_TILE_H_
