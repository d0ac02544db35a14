// SPDX-License-Identifier: Apache-2.0
// The two products of attention over tiles of floats: scores, sixteen tokens side by side, and sums
// of V, sixteen dims side by side. Both take the tiles of a chunk in turn, and prefetch a line
// for each that they read. Included once for each ISA.

#if defined(BITFETCH_KERNELS_ATTENTION_FLOAT_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef BITFETCH_KERNELS_ATTENTION_FLOAT_INL_H_
#undef BITFETCH_KERNELS_ATTENTION_FLOAT_INL_H_
#else
#define BITFETCH_KERNELS_ATTENTION_FLOAT_INL_H_
#endif

#include <algorithm>
#include <cstdint>

#include "kernels/ahead_lines-inl.h"
#include "kernels/tile_products.h"
#include "kernels/vec16-inl.h"

HWY_BEFORE_NAMESPACE();
namespace bitfetch {
namespace HWY_NAMESPACE {

// Panels of rows that are taken together, for which an element is turned into a float once. Where
// sixteen sums fill more than one register, those of one panel leave no room for others.
constexpr int kTogether = kVectors == 1 ? kMaxPanels : 1;

// So many tiles, or groups of V's dims, have their sums in registers at once.
template <int kQueries>
constexpr int kSideBySide = kVectors > 1 ? 1 : kChunkTiles / (kQueries > kQueryPanel ? 2 : 1);

// So many lines are sixteen rows of a tile.
template <class Element>
constexpr int kRowLines = static_cast<int>(16 * 16 * sizeof(Element) / kCacheLineBytes);

// Adds to the scores of kQueries rows against kTiles tiles what `dims` dims give; `fresh` ones
// begin at zero. tiles: a row of sixteen keys for each dim; queries: panels of [dims][kQueryPanel],
// `panel_floats` apart; scores: [kQueries][kChunkTokens].
template <int kQueries, int kTiles, class Lines, class Element>
HWY_INLINE void ScoreTiles(bool fresh, const Element* const (&tiles)[kTiles], int dims,
                           const float* HWY_RESTRICT queries, size_t panel_floats,
                           Lookahead& lookahead, float* HWY_RESTRICT scores) {
  Vec16 sums[kQueries][kTiles];
  constexpr auto& for_each = UnrollGrid<kQueries, kTiles>;
  for_each([&](auto q, auto i) BITFETCH_LAMBDA {
    sums[q][i] = Set16(0.0f);
    if (!fresh) sums[q][i] = Load16(scores + q * kChunkTokens + i * kTileTokens);
  });
  constexpr int kLines = kRowLines<Element>;
  for (int first = 0; first < dims; first += 16) {
    AheadLines<kLines * kTiles> ahead(lookahead);
    constexpr int kPanels = (kQueries + kQueryPanel - 1) / kQueryPanel;
    const float* query_rows[kPanels];
    for (int panel = 0; panel < kPanels; ++panel) {
      query_rows[panel] = Opaque(queries + panel * panel_floats + size_t{kQueryPanel} * first);
    }
    const Element* key_rows[kTiles];
    for (int i = 0; i < kTiles; ++i) key_rows[i] = tiles[i] + size_t{kTileTokens} * first;
#pragma GCC unroll 16
    for (int d = 0; d < 16; ++d) {
      Vec16 keys[kTiles];
      for (int i = 0; i < kTiles; ++i) {
        if (d % (16 / kLines) == 0) {
          ahead.Prefetch(d / (16 / kLines) * kTiles + i);
          Lines::Touch(key_rows[i] + d * kTileTokens);
        }
        keys[i] = Load16(key_rows[i] + d * kTileTokens);
      }
      Vec16 query;
      for_each([&](auto q, auto i) BITFETCH_LAMBDA {
        if (i == 0) {
          query = Set16(query_rows[q / kQueryPanel][d * kQueryPanel + q % kQueryPanel]);
        }
        sums[q][i] = MulAdd16(query, keys[i], sums[q][i]);
      });
    }
  }
  for_each([&](auto q, auto i) BITFETCH_LAMBDA {
    Store16(sums[q][i], scores + q * kChunkTokens + i * kTileTokens);
  });
}

// Scores of kQueries rows against a chunk. queries: panels of [head_dim][kQueryPanel], of which
// those from `row` on; scores: [kQueries][kChunkTokens].
template <int kQueries, class Lines, class Element>
void ScoreFloats(const KvLayout& layout, const Chunk& chunk, const float* queries, int row,
                 Lookahead& lookahead, float* scores) {
  const auto keys = [&](int tile, int d) {
    return reinterpret_cast<const Element*>(chunk.tiles[tile]) + d * kTileTokens;
  };
  const size_t panel_floats = size_t{kQueryPanel} * layout.head_dim;
  const int tiles = chunk.count();
  constexpr int kTiles = kSideBySide<kQueries>;
  int whole = 0;
  if constexpr (kTiles > 1) {
    for (; whole + kTiles <= tiles; whole += kTiles) {
      const Element* rows[kTiles];
      for (int i = 0; i < kTiles; ++i) rows[i] = keys(whole + i, 0);
      ScoreTiles<kQueries, kTiles, Lines, Element>(/*fresh=*/true, rows, layout.head_dim,
                                                   queries + row, panel_floats, lookahead,
                                                   scores + whole * kTileTokens);
    }
  }
  for (int d = 0; d < layout.head_dim && whole < tiles; d += 16) {
    for (int tile = whole; tile < tiles; ++tile) {
      ScoreTiles<kQueries, 1, Lines, Element>(d == 0, {keys(tile, d)}, 16,
                                              queries + d * kQueryPanel + row, panel_floats,
                                              lookahead, scores + tile * kTileTokens);
    }
  }
}

// Adds the weighted values of a chunk, kGroups times sixteen dims of them. offset: bytes from a
// tile's start to them; weights: [kQueries][kChunkTokens]; sums: [kQueries] partials, from these
// dims on.
template <int kQueries, int kGroups, class Lines, class Element>
HWY_INLINE void SumGroups(const Chunk& chunk, size_t offset, const float* HWY_RESTRICT weights,
                          Lookahead& lookahead, float* HWY_RESTRICT partials,
                          size_t partial_floats) {
  Vec16 sums[kQueries][kGroups];
  constexpr auto& for_each = UnrollGrid<kQueries, kGroups>;
  for_each([&](auto q, auto g)
               BITFETCH_LAMBDA { sums[q][g] = Load16(partials + q * partial_floats + g * 16); });
  constexpr int kLines = kRowLines<Element>;
  for (int first = 0; first < chunk.tokens; first += kTileTokens) {
    const auto* HWY_RESTRICT values =
        reinterpret_cast<const Element*>(chunk.tiles[first / kTileTokens] + offset);
    const float* HWY_RESTRICT tile_weights = Opaque(weights + first);
    AheadLines<kLines * kGroups> ahead(lookahead);
    const auto add = [&](int t) BITFETCH_LAMBDA {
      Vec16 rows[kGroups];
      for (int g = 0; g < kGroups; ++g) {
        if (t % (16 / kLines) == 0) {
          ahead.Prefetch(t / (16 / kLines) * kGroups + g);
          Lines::Touch(values + (g * kTileTokens + t) * 16);
        }
        rows[g] = Load16(values + (g * kTileTokens + t) * 16);
      }
      Vec16 weight;
      for_each([&](auto q, auto g) BITFETCH_LAMBDA {
        if (g == 0) weight = Set16(tile_weights[q * kChunkTokens + t]);
        sums[q][g] = MulAdd16(weight, rows[g], sums[q][g]);
      });
    };
    if (HWY_LIKELY(chunk.tokens - first >= kTileTokens)) {
#pragma GCC unroll 16
      for (int t = 0; t < kTileTokens; ++t) add(t);
    } else {
      for (int t = 0; t < chunk.tokens - first; ++t) add(t);
    }
  }
  for_each([&](auto q, auto g)
               BITFETCH_LAMBDA { Store16(sums[q][g], partials + q * partial_floats + g * 16); });
}

// Adds the weighted values of a chunk to the partials of kQueries rows. weights:
// [kQueries][kChunkTokens].
template <int kQueries, class Lines, class Element>
void SumFloats(const KvLayout& layout, const Chunk& chunk, const float* weights,
               Lookahead& lookahead, float* partials) {
  const size_t partial_floats = PartialFloats(layout.head_dim);
  const auto offset = [&](int d) {
    return layout.k_tile_bytes() + d * kTileTokens * sizeof(Element);
  };
  constexpr int kGroups = kSideBySide<kQueries>;
  int d = 0;
  for (; d + kGroups * 16 <= layout.head_dim; d += kGroups * 16) {
    SumGroups<kQueries, kGroups, Lines, Element>(chunk, offset(d), weights, lookahead, partials + d,
                                                 partial_floats);
  }
  for (; d < layout.head_dim; d += 16) {
    SumGroups<kQueries, 1, Lines, Element>(chunk, offset(d), weights, lookahead, partials + d,
                                           partial_floats);
  }
}

template <class Element, class Lines>
constexpr TileProducts kFloatProducts = {
    .score = {&ScoreFloats<1, Lines, Element>, &ScoreFloats<2, Lines, Element>,
              &ScoreFloats<3, Lines, Element>, &ScoreFloats<4, Lines, Element>},
    .sum = {&SumFloats<1, Lines, Element>, &SumFloats<2, Lines, Element>,
            &SumFloats<3, Lines, Element>, &SumFloats<4, Lines, Element>},
    .together = kTogether,
    .score_together = &ScoreFloats<kTogether * kQueryPanel, Lines, Element>,
    .sum_together = &SumFloats<kTogether * kQueryPanel, Lines, Element>};

}  // namespace HWY_NAMESPACE
}  // namespace bitfetch
HWY_AFTER_NAMESPACE();

#endif  // BITFETCH_KERNELS_ATTENTION_FLOAT_INL_H_
