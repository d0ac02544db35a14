// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_KERNELS_TILE_PRODUCTS_H_
#define BITFETCH_KERNELS_TILE_PRODUCTS_H_

#include <cstddef>

#include "kernels/kernels.h"
#include "kernels/lookahead.h"

namespace bitfetch {

// One KV head of a few neighbouring tiles.
struct Chunk {
  const std::byte* tiles[kChunkTiles];  // K, with V behind it
  int tokens;                           // 1 .. kChunkTokens

  int count() const { return (tokens + kTileTokens - 1) / kTileTokens; }
};

// The two products of attention over the tiles of a chunk, for some query rows of a panel. scores,
// weights: [rows][kChunkTokens]; partials: [rows][PartialFloats], of which the sums of V grow.
using ScoreFunction = void (*)(const KvLayout&, const Chunk&, const float* queries, int row,
                               Lookahead&, float* scores);
using SumFunction = void (*)(const KvLayout&, const Chunk&, const float* weights, Lookahead&,
                             float* partials);

// Panels that may be taken together.
inline constexpr int kMaxPanels = 3;

// Both for one KV type, by the number of rows less one; and for `together` whole panels, if that is
// more than one. All prefetch as Lookahead says.
struct TileProducts {
  ScoreFunction score[kQueryPanel];
  SumFunction sum[kQueryPanel];
  int together = 1;
  ScoreFunction score_together = nullptr;
  SumFunction sum_together = nullptr;
};

}  // namespace bitfetch

#endif  // BITFETCH_KERNELS_TILE_PRODUCTS_H_
