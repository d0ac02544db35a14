// SPDX-License-Identifier: Apache-2.0
// The two products of attention over quantised tiles, in integers: the steps of
// attention_int_scalar.cc. Included by foreach_dot-inl.h, in a namespace for each kind of byte
// products.

#include "kernels/attention_dot-inl.h"

template <KvType kType>
constexpr int kSpanLines = 4 * kLinesPerPair<kType>;  // of 32 dims of a tile

// Products of two rows would leave half of their sums unused for one.
template <KvType kType, int kQueries>
#ifdef BITFETCH_DOT_I8MM
using KeysFor = std::conditional_t<kQueries == 1, dotprod::Keys<kType>, Keys<kType>>;
#else
using KeysFor = Keys<kType>;
#endif

HWY_INLINE Vector LoadScales(const std::byte* tile, int span, int part) {
  const hn::Rebind<hwy::float16_t, Floats> halves;
  const auto* scales = reinterpret_cast<const hwy::float16_t*>(tile) + span * kTileTokens;
  return hn::PromoteTo(Floats(), hn::LoadU(halves, scales + part * kLanes));
}

// For the scales of a chunk, so many bytes at `offset` in each tile, which are all read early.
template <class Lines>
HWY_INLINE void FetchScales(const Chunk& chunk, size_t offset, size_t bytes, Lookahead& lookahead) {
  lookahead.Fetch(chunk.count() * bytes / kCacheLineBytes);
  if constexpr (Lines::kTouch) {
    for (int tile = 0; tile < chunk.count(); ++tile) {
      for (size_t at = 0; at < bytes; at += kCacheLineBytes) {
        Lines::Touch(chunk.tiles[tile] + offset + at);
      }
    }
  }
}

// Adds to the scores of kQueries rows against kTiles tiles what 32 dims give. tiles: K;
// codes: bytes from there to those of the dims; scales: [kQueries] of the queries; biases: what
// their sums have too much.
template <int kQueries, int kTiles, class Lines, KvType kType>
HWY_INLINE void ScoreSpan(
    int span, const std::byte* const* tiles, size_t codes,
    const typename KeysFor<kType, kQueries>::template SpanCoefs<kQueries>& coefs,
    const float* scales, const Vector (&biases)[kQueries], Lookahead& lookahead,
    float* HWY_RESTRICT scores) {
  using Product = KeysFor<kType, kQueries>;
  constexpr int kStep = kLinesPerPair<kType>;
  constexpr int kSums = (kQueries + Product::kRows - 1) / Product::kRows;
  AheadLines<kTiles * kSpanLines<kType>> ahead(lookahead);
  Unroll<kVectors>([&](auto part) BITFETCH_LAMBDA {
    typename Product::Sums sums[kSums][kTiles];
    UnrollGrid<kSums, kTiles>([&](auto rows, auto i)
                                  BITFETCH_LAMBDA { sums[rows][i] = Product::Zero(); });
    Unroll<4>([&](auto pair) BITFETCH_LAMBDA {
      typename Product::Codes keys[kTiles][2];
      Unroll<kTiles>([&](auto i) BITFETCH_LAMBDA {
        if constexpr (part == 0) {
          for (int line = 0; line < kStep; ++line) {
            ahead.Prefetch((pair * kTiles + i) * kStep + line);
            Lines::Touch(tiles[i] + codes + (pair * kStep + line) * kCacheLineBytes);
          }
        }
        Product::Load(tiles[i] + codes + pair * kStep * kCacheLineBytes, part, keys[i]);
      });
      UnrollGrid<2, kSums>([&](auto odd, auto rows) BITFETCH_LAMBDA {
        const auto four = coefs.Get(Index<pair * 2 + odd>(), rows);
        Unroll<kTiles>([&](auto i)
                           BITFETCH_LAMBDA { Product::Add(sums[rows][i], keys[i][odd], four); });
      });
    });
    Unroll<kTiles>([&](auto i) BITFETCH_LAMBDA {
      const Vector key_scales = LoadScales(tiles[i], span, part);
      Unroll<kQueries>([&](auto q) BITFETCH_LAMBDA {
        Vector sum = hn::ConvertTo(Floats(),
                                   Product::Total(sums[q / Product::kRows][i], q % Product::kRows));
        if constexpr (Product::kBias != 0) sum = hn::Sub(sum, biases[q]);
        float* to = scores + q * kChunkTokens + i * kTileTokens + part * kLanes;
        const Vector before = span == 0 ? hn::Zero(Floats()) : hn::LoadU(Floats(), to);
        const Vector scale = hn::Mul(key_scales, hn::Set(Floats(), scales[q]));
        hn::StoreU(hn::MulAdd(sum, scale, before), Floats(), to);
      });
    });
  });
}

// Scores of kQueries rows against a chunk. queries: of IntQueries, from row `row` on; scores:
// [kQueries][kChunkTokens].
template <int kQueries, class Lines, KvType kType>
void ScoreCodes(const KvLayout& layout, const Chunk& chunk, const float* queries, int row,
                Lookahead& lookahead, float* scores) {
  using Product = KeysFor<kType, kQueries>;
  constexpr int kTiles = Product::kTiles;
  const IntQueries prepared(queries, layout.head_dim);
  const int tiles = chunk.count();
  FetchScales<Lines>(chunk, 0, layout.k_scales_bytes(), lookahead);
  size_t codes = layout.k_scales_bytes();
  for (int span = 0; span < layout.head_dim / kQuantizedDims; ++span) {
    const typename Product::template SpanCoefs<kQueries> coefs(
        prepared.codes + (span * kQuantizedDims * kQueryPanel + row * 4));
    const float* scales = prepared.scales + span * kQueryPanel + row;
    const float* sums = prepared.sums + span * kQueryPanel + row;
    Vector biases[kQueries];
    for (int q = 0; q < kQueries; ++q) biases[q] = hn::Set(Floats(), sums[q] * Product::kBias);
    // Named in full, since the coefficients may be of a kind that has one of its own.
    int tile = 0;
    for (; tile + kTiles <= tiles; tile += kTiles) {
      BITFETCH_DOT::ScoreSpan<kQueries, kTiles, Lines, kType>(span, chunk.tiles + tile, codes,
                                                              coefs, scales, biases, lookahead,
                                                              scores + tile * kTileTokens);
    }
    for (; tile < tiles; ++tile) {
      BITFETCH_DOT::ScoreSpan<kQueries, 1, Lines, kType>(span, chunk.tiles + tile, codes, coefs,
                                                         scales, biases, lookahead,
                                                         scores + tile * kTileTokens);
    }
    codes += kSpanLines<kType> * kCacheLineBytes;
  }
}

// The scales of V of 32 dims of a chunk; zero for tokens that are not seen, whatever lies there.
HWY_INLINE void LoadChunkScales(const Chunk& chunk, size_t offset, int span,
                                Vector (&scales)[kChunkVectors]) {
  for (int i = 0; i < kChunkVectors; ++i) {
    const int seen = chunk.tokens - i * kLanes;
    if (HWY_LIKELY(seen >= kLanes)) {
      scales[i] = LoadScales(chunk.tiles[i / kVectors] + offset, span, i % kVectors);
    } else if (seen > 0) {
      const Vector all = LoadScales(chunk.tiles[i / kVectors] + offset, span, i % kVectors);
      scales[i] = hn::IfThenElseZero(hn::FirstN(Floats(), seen), all);
    } else {
      scales[i] = hn::Zero(Floats());
    }
  }
}

struct Larger {
  HWY_INLINE Totals operator()(Totals a, Totals b) const { return hn::Max(a, b); }
};
struct Plus {
  HWY_INLINE Totals operator()(Totals a, Totals b) const { return hn::Add(a, b); }
};

// Row i's lanes folded into one, in lane i of every four.
template <class Op>
HWY_INLINE Totals FoldRows(const Totals (&rows)[kQueryPanel], const Op& op) {
  const Ints ints;
  const hn::Repartition<int64_t, Ints> pairs;
  const Totals a =
      op(hn::InterleaveLower(ints, rows[0], rows[1]), hn::InterleaveUpper(ints, rows[0], rows[1]));
  const Totals b =
      op(hn::InterleaveLower(ints, rows[2], rows[3]), hn::InterleaveUpper(ints, rows[2], rows[3]));
  const auto lower = hn::InterleaveLower(pairs, hn::BitCast(pairs, a), hn::BitCast(pairs, b));
  const auto upper = hn::InterleaveUpper(pairs, hn::BitCast(pairs, a), hn::BitCast(pairs, b));
  Totals folded = op(hn::BitCast(ints, lower), hn::BitCast(ints, upper));
  if constexpr (kLanes > 4) folded = op(folded, hn::ReverseBlocks(ints, folded));
  if constexpr (kLanes > 8) folded = op(folded, hn::SwapAdjacentBlocks(folded));
  return folded;
}

// The weighted scales of V of 32 dims of a chunk.
template <int kQueries>
struct WeightedScales {
  HWY_INLINE WeightedScales() {}  // NOLINT(modernize-use-equals-default): see Vec16

  // weights: [kQueries][kChunkTokens], finite.
  HWY_INLINE void Set(const Chunk& chunk, size_t offset, int span,
                      const float* HWY_RESTRICT weights) {
    Vector scales[kChunkVectors];
    LoadChunkScales(chunk, offset, span, scales);
    Totals max[kQueryPanel];
    Unroll<kQueryPanel>([&](auto q) BITFETCH_LAMBDA { max[q] = hn::Zero(Ints()); });
    UnrollGrid<kQueries, kChunkVectors>([&](auto q, auto i) BITFETCH_LAMBDA {
      const Vector weight = hn::Load(Floats(), weights + q * kChunkTokens + i * kLanes);
      const Vector product = hn::Mul(weight, scales[i]);
      hn::Store(product, Floats(), products[q] + i * kLanes);
      max[q] = hn::Max(max[q], hn::BitCast(Ints(), hn::Abs(product)));
    });
    largest = hn::BitCast(Floats(), FoldRows(max, Larger()));
  }

  alignas(64) float products[kQueries][kChunkTokens];
  Vector largest;  // magnitude of row i in lane i of every four; a NaN if any scale is one
};

// The weighted scales as codes.
template <int kQueries, KvType kType>
struct CodedWeights {
  HWY_INLINE explicit CodedWeights(const WeightedScales<kQueries>& weighted) {
    const Vector largest = weighted.largest;
    const auto codable = hn::Ge(largest, hn::Set(Floats(), kMinWeightedScale));
    const Vector inverse = hn::Div(hn::Set(Floats(), kMaxWeightCode), largest);
    alignas(64) float factors[kLanes];
    hn::Store(hn::IfThenElseZero(codable, inverse), Floats(), factors);
    hn::Store(hn::Mul(largest, hn::Set(Floats(), 1.0f / kMaxWeightCode)), Floats(), units);

    constexpr int kShift = Values<kType>::template ChunkCoefs<kQueries>::kShift;
    const Vector rounder = hn::Set(Floats(), kRounder);
    const Totals zero = hn::Sub(hn::BitCast(Ints(), rounder), hn::Set(Ints(), kShift));
    Totals sums[kQueryPanel];
    Unroll<kQueryPanel>([&](auto q) BITFETCH_LAMBDA { sums[q] = hn::Zero(Ints()); });
    Unroll<kQueries>([&](auto q) BITFETCH_LAMBDA {
      const Vector factor = hn::Set(Floats(), factors[q]);
      Totals codes[kChunkVectors];
      Unroll<kChunkVectors>([&](auto i) BITFETCH_LAMBDA {
        const Vector product = hn::Load(Floats(), weighted.products[q] + i * kLanes);
        const Vector rounded = hn::MulAdd(product, factor, rounder);
        codes[i] = hn::Sub(hn::BitCast(Ints(), rounded), zero);
        sums[q] = hn::Add(sums[q], codes[i]);
      });
      coefs.Set(q, codes);
    });
    if constexpr (Values<kType>::kBias != 0) {
      static_assert(Values<kType>::kBias == 8);
      const Totals shifts = hn::Set(Ints(), kChunkTokens * kShift);
      hn::Store(hn::ShiftLeft<3>(hn::Sub(FoldRows(sums, Plus()), shifts)), Ints(), biases);
    }
  }

  typename Values<kType>::template ChunkCoefs<kQueries> coefs;
  alignas(64) float units[kLanes];     // [kQueries], and again: what a code is worth
  alignas(64) int32_t biases[kLanes];  // the same: what a sum of codes has too much
};

// Adds the weighted codes of kSides times sixteen dims of a chunk, of which those of one `part`, to
// `sums`, `partial_floats` from row to row. from: bytes from the start of a tile to the codes. The
// first such part prefetches for all of the 32 dims.
template <int kQueries, int kSides, class Lines, KvType kType>
HWY_INLINE void SumSides(const Chunk& chunk, size_t from, int part, bool first,
                         const CodedWeights<kQueries, kType>& coded, Lookahead& lookahead,
                         float* HWY_RESTRICT sums, size_t partial_floats) {
  using Product = Values<kType>;
  constexpr int kStep = kLinesPerPair<kType>;
  typename Product::Sums totals[kQueries][kSides];
  UnrollGrid<kQueries, kSides>([&](auto q, auto side)
                                   BITFETCH_LAMBDA { totals[q][side] = Product::Zero(); });
  const int tiles = chunk.count();
  for (int tile = 0; tile < tiles; ++tile) {
    const std::byte* codes = chunk.tiles[tile] + from;
    AheadLines<kSpanLines<kType>> ahead(lookahead, first);
    Unroll<2>([&](auto pair) BITFETCH_LAMBDA {
      typename Product::Codes values[kSides][2];
      Unroll<kSides>([&](auto side) BITFETCH_LAMBDA {
        const std::byte* lines = codes + (side * 2 + pair) * kStep * kCacheLineBytes;
        if (Lines::kTouch && part == 0) {
          for (int i = 0; i < kStep; ++i) Lines::Touch(lines + i * kCacheLineBytes);
        }
        Product::Load(lines, part, values[side]);
      });
      Unroll<2>([&](auto odd) BITFETCH_LAMBDA {
        for (int i = 0; i < kStep; ++i) ahead.Prefetch((pair * 2 + odd) * kStep + i);
        Unroll<kQueries>([&](auto q) BITFETCH_LAMBDA {
          const auto four = coded.coefs.Get(q, tile, Index<pair * 2 + odd>());
          Unroll<kSides>([&](auto side) BITFETCH_LAMBDA {
            Product::Add(totals[q][side], values[side][odd], four);
          });
        });
      });
    });
  }
  UnrollGrid<kQueries, kSides>([&](auto q, auto side) BITFETCH_LAMBDA {
    Totals total = Product::Total(totals[q][side]);
    if constexpr (Product::kBias != 0) {
      total = hn::Sub(total, hn::Set(Ints(), coded.biases[q]));
    }
    float* sum = sums + q * partial_floats + side * 16 + part * kLanes;
    hn::StoreU(hn::MulAdd(hn::ConvertTo(Floats(), total), hn::Set(Floats(), coded.units[q]),
                          hn::LoadU(Floats(), sum)),
               Floats(), sum);
  });
}

// Adds the weighted values of a chunk to the partials of kQueries rows. weights:
// [kQueries][kChunkTokens].
template <int kQueries, class Lines, KvType kType>
void SumCodes(const KvLayout& layout, const Chunk& chunk, const float* weights,
              Lookahead& lookahead, float* partials) {
  constexpr int kSides = Values<kType>::kSides;
  const size_t partial_floats = PartialFloats(layout.head_dim);
  const size_t scales = layout.k_tile_bytes();
  const int tiles = chunk.count();
  FetchScales<Lines>(chunk, scales, layout.v_scales_bytes(), lookahead);
  alignas(64) float padded[kQueries * kChunkTokens];
  if (HWY_UNLIKELY(tiles < kChunkTiles)) {
    std::fill(padded, padded + kQueries * kChunkTokens, 0.0f);
    for (int q = 0; q < kQueries; ++q) {
      std::copy_n(weights + q * kChunkTokens, tiles * kTileTokens, padded + q * kChunkTokens);
    }
    weights = padded;
  }
  const int spans = layout.head_dim / kQuantizedDims;
  size_t codes = scales + layout.v_scales_bytes();
  WeightedScales<kQueries> weighted;
  weighted.Set(chunk, scales, 0, weights);
  for (int span = 0; span < spans; ++span) {
    const CodedWeights<kQueries, kType> coded(weighted);
    // The next span's so early, since they are slow to come, beside the products.
    if (span + 1 < spans) weighted.Set(chunk, scales, span + 1, weights);
    float* sums = partials + span * kQuantizedDims;
    for (int pass = 0; pass < kVectors * 2 / kSides; ++pass) {
      const int side = pass / kVectors;
      SumSides<kQueries, kSides, Lines>(
          chunk, codes + side * kSpanLines<kType> / 2 * kCacheLineBytes, pass % kVectors,
          /*first=*/pass == 0, coded, lookahead, sums + side * 16, partial_floats);
    }
    codes += kSpanLines<kType> * kCacheLineBytes;
  }
}

template <KvType kType, class Lines>
constexpr TileProducts kCodeProducts = {
    .score = {&ScoreCodes<1, Lines, kType>, &ScoreCodes<2, Lines, kType>,
              &ScoreCodes<3, Lines, kType>, &ScoreCodes<4, Lines, kType>},
    .sum = {&SumCodes<1, Lines, kType>, &SumCodes<2, Lines, kType>, &SumCodes<3, Lines, kType>,
            &SumCodes<4, Lines, kType>}};
