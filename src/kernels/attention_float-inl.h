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

#include "kernels/lookahead.h"
#include "kernels/vec16-inl.h"

HWY_BEFORE_NAMESPACE();
namespace bitfetch {
namespace HWY_NAMESPACE {

// One KV head of a few neighbouring tiles.
struct Chunk {
  const std::byte* tiles[kChunkTiles];  // K, with V behind it
  int tokens;                           // 1 .. kChunkTokens

  int count() const { return (tokens + kTileTokens - 1) / kTileTokens; }
};

// What a kernel does with the line ahead of each that it reads. kTimed: what the plan says, and it
// shows the job's TouchSampler each line before it loads it; kShown: that alone.
enum class Ahead { kNothing, kToL1, kToL2, kTimed, kShown };

template <Ahead kAhead>
constexpr bool kFetches = !(kAhead == Ahead::kNothing || kAhead == Ahead::kShown);
template <Ahead kAhead>
constexpr bool kShows = kAhead == Ahead::kTimed || kAhead == Ahead::kShown;

// The two products, by what is prefetched and by the number of query rows less one.
using ScoreFunction = void (*)(const KvLayout&, const Chunk&, const float* queries, int row,
                               Lookahead&, float* scores);
using SumFunction = void (*)(const KvLayout&, const Chunk&, const float* weights, Lookahead&,
                             float* partials);
using ScoreFunctions = ScoreFunction[4][kQueryBlock];
using SumFunctions = SumFunction[4][kQueryBlock];

// Those over quantised tiles: an ISA may have several kinds of integer products.
struct CodeProducts {
  const ScoreFunctions& q8_scores;
  const ScoreFunctions& q4_scores;
  const SumFunctions& q8_sums;
  const SumFunctions& q4_sums;
};

template <Ahead kAhead>
HWY_INLINE void PrefetchInto(const Lookahead& lookahead, const std::byte* line) {
  if constexpr (kAhead == Ahead::kToL1) PrefetchLine(line);
  if constexpr (kAhead == Ahead::kToL2) PrefetchLineToL2(line);
  if constexpr (kAhead == Ahead::kTimed) {
    const PrefetchPlan& plan = lookahead.job().prefetch;
    if (!plan.on) return;
    plan.hint == PrefetchHint::kL1 ? PrefetchLine(line) : PrefetchLineToL2(line);
  }
}

// The lines ahead of the next `kLines` that a kernel reads, which it prefetches one by one.
template <Ahead kAhead, int kLines>
class AheadLines {
 public:
  static_assert(kLines % Lookahead::kSlots == 0);

  HWY_INLINE explicit AheadLines(Lookahead& lookahead) : lookahead_(lookahead) {
    if constexpr (kFetches<kAhead>) {
      slots_ = lookahead.TakeSlots(
          kLines, [&](const std::byte* line) { PrefetchInto<kAhead>(lookahead, line); });
    }
  }

  // The i-th of them; in order.
  HWY_INLINE void Prefetch(int i) {
    if constexpr (kFetches<kAhead>) {
      const std::byte*& next = slots_.next[i % Lookahead::kSlots];
      PrefetchInto<kAhead>(lookahead_, next);
      next += slots_.stride;
    }
  }

  // Before the first load from each line.
  HWY_INLINE void Touch(const void* line) const {
    if constexpr (kShows<kAhead>) lookahead_.job().touches->Touch(line);
  }

 private:
  const Lookahead& lookahead_;
  Lookahead::Slots slots_;
};

// The same pointer, of which the compiler knows nothing. Else GCC computes the address of each
// query of an unrolled loop once, before the loops around it, and keeps them all in memory.
template <class T>
HWY_INLINE T* Opaque(T* pointer) {
  asm("" : "+r"(pointer));
  return pointer;
}

// Where sixteen floats fill one register there are registers enough for a whole chunk of scores,
// and for four groups of V's dims. Elsewhere one tile and one group fill them.
constexpr int kScoreTiles = kVectors == 1 ? kChunkTiles : 1;
constexpr int kValueGroups = kVectors == 1 ? 4 : 1;

// So many lines are sixteen rows of a tile.
template <class Element>
constexpr int kRowLines = static_cast<int>(16 * 16 * sizeof(Element) / kCacheLineBytes);

// Adds to the scores of kQueries rows against kTiles tiles what `dims` dims give; `fresh` ones
// begin at zero. tiles: a row of sixteen keys for each dim; queries: [dims][kQueryBlock]; scores:
// [kQueries][kChunkTokens].
template <int kQueries, int kTiles, Ahead kAhead, class Element>
HWY_INLINE void ScoreTiles(bool fresh, const Element* const (&tiles)[kTiles], int dims,
                           const float* HWY_RESTRICT queries, Lookahead& lookahead,
                           float* HWY_RESTRICT scores) {
  Vec16 sums[kQueries][kTiles];
  const auto for_each = [](const auto& op) BITFETCH_LAMBDA {
    Unroll<kQueries>(
        [&](auto q) BITFETCH_LAMBDA { Unroll<kTiles>([&](auto i) BITFETCH_LAMBDA { op(q, i); }); });
  };
  for_each([&](auto q, auto i) BITFETCH_LAMBDA {
    sums[q][i] = Set16(0.0f);
    if (!fresh) sums[q][i] = Load16(scores + q * kChunkTokens + i * kTileTokens);
  });
  constexpr int kLines = kRowLines<Element>;
  for (int first = 0; first < dims; first += 16) {
    AheadLines<kAhead, kLines * kTiles> ahead(lookahead);
    const float* HWY_RESTRICT query_rows = Opaque(queries + size_t{kQueryBlock} * first);
    const Element* key_rows[kTiles];
    for (int i = 0; i < kTiles; ++i) key_rows[i] = tiles[i] + size_t{kTileTokens} * first;
#pragma GCC unroll 16
    for (int d = 0; d < 16; ++d) {
      Vec16 keys[kTiles];
      for (int i = 0; i < kTiles; ++i) {
        if (d % (16 / kLines) == 0) {
          ahead.Prefetch(d / (16 / kLines) * kTiles + i);
          ahead.Touch(key_rows[i] + d * kTileTokens);
        }
        keys[i] = Load16(key_rows[i] + d * kTileTokens);
      }
      Vec16 query;
      for_each([&](auto q, auto i) BITFETCH_LAMBDA {
        if (i == 0) query = Set16(query_rows[d * kQueryBlock + q]);
        sums[q][i] = MulAdd16(query, keys[i], sums[q][i]);
      });
    }
  }
  for_each([&](auto q, auto i) BITFETCH_LAMBDA {
    Store16(sums[q][i], scores + q * kChunkTokens + i * kTileTokens);
  });
}

// Scores of kQueries rows against a chunk. queries: [head_dim][kQueryBlock], from the first row on;
// scores: [kQueries][kChunkTokens].
template <int kQueries, Ahead kAhead, class Element>
void ScoreFloats(const KvLayout& layout, const Chunk& chunk, const float* queries, int row,
                 Lookahead& lookahead, float* scores) {
  const auto keys = [&](int tile, int d) {
    return reinterpret_cast<const Element*>(chunk.tiles[tile]) + d * kTileTokens;
  };
  const int tiles = chunk.count();
  if constexpr (kScoreTiles == kChunkTiles) {
    if (HWY_LIKELY(tiles == kChunkTiles)) {
      return ScoreTiles<kQueries, kChunkTiles, kAhead, Element>(
          /*fresh=*/true, {keys(0, 0), keys(1, 0), keys(2, 0), keys(3, 0)}, layout.head_dim,
          queries + row, lookahead, scores);
    }
  }
  for (int d = 0; d < layout.head_dim; d += 16) {
    for (int tile = 0; tile < tiles; ++tile) {
      ScoreTiles<kQueries, 1, kAhead, Element>(d == 0, {keys(tile, d)}, 16,
                                               queries + d * kQueryBlock + row, lookahead,
                                               scores + tile * kTileTokens);
    }
  }
}

// Adds the weighted values of a chunk, kGroups times sixteen dims of them. offset: bytes from a
// tile's start to them; weights: [kQueries][kChunkTokens]; sums: [kQueries] partials, from these
// dims on.
template <int kQueries, int kGroups, Ahead kAhead, class Element>
HWY_INLINE void SumGroups(const Chunk& chunk, size_t offset, const float* HWY_RESTRICT weights,
                          Lookahead& lookahead, float* HWY_RESTRICT partials,
                          size_t partial_floats) {
  Vec16 sums[kQueries][kGroups];
  const auto for_each = [](const auto& op) BITFETCH_LAMBDA {
    Unroll<kQueries>([&](auto q) BITFETCH_LAMBDA {
      Unroll<kGroups>([&](auto g) BITFETCH_LAMBDA { op(q, g); });
    });
  };
  for_each([&](auto q, auto g)
               BITFETCH_LAMBDA { sums[q][g] = Load16(partials + q * partial_floats + g * 16); });
  constexpr int kLines = kRowLines<Element>;
  for (int first = 0; first < chunk.tokens; first += kTileTokens) {
    const auto* HWY_RESTRICT values =
        reinterpret_cast<const Element*>(chunk.tiles[first / kTileTokens] + offset);
    const float* HWY_RESTRICT tile_weights = Opaque(weights + first);
    AheadLines<kAhead, kLines * kGroups> ahead(lookahead);
    const auto add = [&](int t) BITFETCH_LAMBDA {
      Vec16 rows[kGroups];
      for (int g = 0; g < kGroups; ++g) {
        if (t % (16 / kLines) == 0) {
          ahead.Prefetch(t / (16 / kLines) * kGroups + g);
          ahead.Touch(values + (g * kTileTokens + t) * 16);
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
template <int kQueries, Ahead kAhead, class Element>
void SumFloats(const KvLayout& layout, const Chunk& chunk, const float* weights,
               Lookahead& lookahead, float* partials) {
  const size_t partial_floats = PartialFloats(layout.head_dim);
  const auto offset = [&](int d) {
    return layout.k_tile_bytes() + d * kTileTokens * sizeof(Element);
  };
  int d = 0;
  for (; d + kValueGroups * 16 <= layout.head_dim; d += kValueGroups * 16) {
    SumGroups<kQueries, kValueGroups, kAhead, Element>(chunk, offset(d), weights, lookahead,
                                                       partials + d, partial_floats);
  }
  for (; d < layout.head_dim; d += 16) {
    SumGroups<kQueries, 1, kAhead, Element>(chunk, offset(d), weights, lookahead, partials + d,
                                            partial_floats);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace bitfetch
HWY_AFTER_NAMESPACE();

#endif  // BITFETCH_KERNELS_ATTENTION_FLOAT_INL_H_
