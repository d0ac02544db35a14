// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_KV_TILE_H_
#define BITFETCH_KV_TILE_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"

namespace bitfetch {

// A tile is this many tokens of one KV head of one layer: the unit of layout and prefetch
// (docs/architecture.md).
inline constexpr int kTileTokens = 16;

// Attention walks this many tiles side by side, a few rows of each in turn, and so does what
// prefetches for it.
inline constexpr int kChunkTiles = 4;

// How one element of K or V is stored.
enum class KvType { kF32, kF16 };

std::string_view KvTypeName(KvType type);  // "f32", "f16"
size_t KvElementBytes(KvType type);

// The types of K and of V.
struct KvTypes {
  KvType k = KvType::kF16;
  KvType v = KvType::kF16;

  friend bool operator==(const KvTypes&, const KvTypes&) = default;
};

std::string KvTypesName(KvTypes types);               // "f16", or "f32:f16" where K and V differ
Result<KvTypes> ParseKvTypes(std::string_view text);  // the same, read back

// How the tiles of one layer lie in one block. Within a block, a layer's heads lie side by side, K
// before V:
//   block [kv_heads][K tile, V tile],  K tile [head_dim][16 tokens],  V tile [head_dim / 16][16
//   tokens][16 dims]
// so that a score needs no horizontal sum, a sum of V stays in registers, and both are read in
// address order.
struct KvLayout {
  int kv_heads = 0;
  int head_dim = 0;  // a multiple of 16
  KvTypes types = {};

  size_t k_tile_bytes() const { return kTileTokens * head_dim * KvElementBytes(types.k); }
  size_t v_tile_bytes() const { return kTileTokens * head_dim * KvElementBytes(types.v); }
  size_t head_bytes() const { return k_tile_bytes() + v_tile_bytes(); }
  size_t block_bytes() const { return kv_heads * head_bytes(); }
};

// What one layer of one sequence holds, for reading. Valid until its cache is changed.
struct KvView {
  KvLayout layout;
  const std::byte* arena = nullptr;  // [blocks of the pool][layout.block_bytes()]
  const uint32_t* blocks =
      nullptr;         // [ceil(length / 16)] which block holds tokens 16 i .. 16 i + 15
  int64_t length = 0;  // tokens

  const std::byte* Block(int64_t tile) const { return arena + blocks[tile] * layout.block_bytes(); }
};

}  // namespace bitfetch

#endif  // BITFETCH_KV_TILE_H_
