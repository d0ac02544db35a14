// SPDX-License-Identifier: Apache-2.0
// The two products of attention over quantised tiles, in integers: the steps of
// attention_int_scalar.cc. Included by attention-inl.h once for each kind of integer product that
// an ISA has, within its attributes, with BITFETCH_DOT naming the namespace.

namespace bitfetch {
namespace HWY_NAMESPACE {
namespace BITFETCH_DOT {

#include "kernels/attention_dot-inl.h"

template <KvType kType>
constexpr int kGroupLines = 4 * kLinesPerPair<kType>;  // of 32 dims of a tile

// Where products are bytes, registers hold the sums of two tiles and of two times sixteen dims.
#if defined(BITFETCH_DOT_VNNI)
constexpr int kKeyTiles = 2;
constexpr int kValueSides = 2;
#else
constexpr int kKeyTiles = 1;
constexpr int kValueSides = 1;
#endif

HWY_INLINE Vector LoadScales(const std::byte* tile, int group, int part) {
  const hn::Rebind<hwy::float16_t, Floats> halves;
  const auto* scales = reinterpret_cast<const hwy::float16_t*>(tile) + group * kTileTokens;
  return hn::PromoteTo(Floats(), hn::LoadU(halves, scales + part * kLanes));
}

template <Ahead kAhead>
HWY_INLINE void PrefetchScales(size_t lines, Lookahead& lookahead) {
  if constexpr (kAhead != Ahead::kNothing) {
    lookahead.Take(lines, [](const std::byte* line) { PrefetchInto<kAhead>(line); });
  }
}

// Adds to the scores of kQueries rows against kTiles tiles what 32 dims give. tiles: K;
// codes: bytes from there to those of the dims; scales, coef_sums: [kQueries] of the queries.
template <int kQueries, int kTiles, Ahead kAhead, KvType kType>
HWY_INLINE void ScoreGroup(int group, const std::byte* const* tiles, size_t codes,
                           const GroupCoefs<kQueries>& coefs, const float* scales,
                           const float* coef_sums, Lookahead& lookahead,
                           float* HWY_RESTRICT scores) {
  AheadLines<kAhead, kTiles * kGroupLines<kType>> ahead(lookahead);
  for (int part = 0; part < kVectors; ++part) {
    KeySums sums[kQueries][kTiles];
    for (int q = 0; q < kQueries; ++q) {
      for (int i = 0; i < kTiles; ++i) sums[q][i] = ZeroKeySums();
    }
#pragma GCC unroll 4
    for (int pair = 0; pair < 4; ++pair) {
      constexpr int kStep = kLinesPerPair<kType>;
      KeyCodes keys[kTiles][2];
      for (int i = 0; i < kTiles; ++i) {
        for (int line = 0; part == 0 && line < kStep; ++line) {
          ahead.Prefetch((pair * kTiles + i) * kStep + line);
        }
        LoadKeys<kType>(tiles[i] + codes + pair * kStep * kCacheLineBytes, part, keys[i]);
      }
      for (int line = 0; line < 2; ++line) {
        for (int q = 0; q < kQueries; ++q) {
          const KeyCoefs four = coefs.Get(pair * 2 + line, q);
          for (int i = 0; i < kTiles; ++i) Add(sums[q][i], keys[i][line], four);
        }
      }
    }
    for (int i = 0; i < kTiles; ++i) {
      const Vector key_scales = LoadScales(tiles[i], group, part);
      for (int q = 0; q < kQueries; ++q) {
        Vector sum = hn::ConvertTo(Floats(), Total(sums[q][i]));
        if constexpr (kKeyBias<kType> != 0) {
          sum = hn::Sub(sum, hn::Set(Floats(), coef_sums[q] * kKeyBias<kType>));
        }
        float* to = scores + q * kChunkTokens + i * kTileTokens + part * kLanes;
        const Vector before = group == 0 ? hn::Zero(Floats()) : hn::LoadU(Floats(), to);
        const Vector scale = hn::Mul(key_scales, hn::Set(Floats(), scales[q]));
        hn::StoreU(hn::MulAdd(sum, scale, before), Floats(), to);
      }
    }
  }
}

// Scores of kQueries rows against a chunk. queries: of IntQueries, from row `row` on; scores:
// [kQueries][kChunkTokens].
template <int kQueries, Ahead kAhead, KvType kType>
void ScoreCodes(const KvLayout& layout, const Chunk& chunk, const float* queries, int row,
                Lookahead& lookahead, float* scores) {
  const IntQueries prepared(queries, layout.head_dim);
  const int tiles = chunk.count();
  PrefetchScales<kAhead>(tiles * layout.k_scales_bytes() / kCacheLineBytes, lookahead);
  size_t codes = layout.k_scales_bytes();
  for (int group = 0; group < layout.head_dim / kQuantizedDims; ++group) {
    const GroupCoefs<kQueries> coefs(prepared.codes +
                                     (group * kQuantizedDims * kQueryBlock + row * 4));
    const float* scales = prepared.scales + group * kQueryBlock + row;
    const float* sums = prepared.sums + group * kQueryBlock + row;
    int tile = 0;
    for (; tile + kKeyTiles <= tiles; tile += kKeyTiles) {
      ScoreGroup<kQueries, kKeyTiles, kAhead, kType>(group, chunk.tiles + tile, codes, coefs,
                                                     scales, sums, lookahead,
                                                     scores + tile * kTileTokens);
    }
    for (; tile < tiles; ++tile) {
      ScoreGroup<kQueries, 1, kAhead, kType>(group, chunk.tiles + tile, codes, coefs, scales, sums,
                                             lookahead, scores + tile * kTileTokens);
    }
    codes += kGroupLines<kType> * kCacheLineBytes;
  }
}

constexpr int kChunkVectors = kChunkTokens / kLanes;

// The scales of V of 32 dims of a chunk; zero for tokens that are not seen, whatever lies there.
HWY_INLINE void LoadChunkScales(const Chunk& chunk, size_t offset, int group,
                                Vector (&scales)[kChunkVectors]) {
  for (int i = 0; i < kChunkVectors; ++i) {
    const int seen = chunk.tokens - i * kLanes;
    scales[i] = hn::Zero(Floats());
    if (seen > 0) scales[i] = LoadScales(chunk.tiles[i / kVectors] + offset, group, i % kVectors);
    if (seen > 0 && seen < kLanes) {
      scales[i] = hn::IfThenElseZero(hn::FirstN(Floats(), seen), scales[i]);
    }
  }
}

// Codes of the weighted scales, zero behind the first `vectors`; returns what a code is worth.
HWY_INLINE float CodeWeights(int vectors, const float* HWY_RESTRICT weights,
                             const Vector (&scales)[kChunkVectors],
                             Totals (&codes)[kChunkVectors]) {
  Vector weighted[kChunkVectors];
  Totals most = hn::Zero(Ints());
  for (int i = 0; i < kChunkVectors; ++i) {
    weighted[i] = hn::Zero(Floats());
    if (i < vectors) weighted[i] = hn::Mul(hn::LoadU(Floats(), weights + i * kLanes), scales[i]);
    most = hn::Max(most, hn::BitCast(Ints(), hn::Abs(weighted[i])));
  }
  const float largest = hn::GetLane(hn::BitCast(Floats(), hn::MaxOfLanes(Ints(), most)));
  const bool codable = largest >= kLeastWeightedScale;
  const Vector factor = hn::Set(Floats(), codable ? kMostWeightCode / largest : 0.0f);
  for (int i = 0; i < kChunkVectors; ++i) {
    codes[i] = hn::NearestInt(hn::Mul(weighted[i], factor));
  }
  return largest * (1.0f / kMostWeightCode);
}

// Adds the weighted codes of kSides times sixteen dims of a chunk, which begin at byte `codes` of
// its tiles, times `units`, to `sums`, `partial_floats` from row to row.
template <int kQueries, int kSides, Ahead kAhead, KvType kType>
HWY_INLINE void SumSides(const Chunk& chunk, size_t codes, const ChunkCoefs<kQueries, kType>& coefs,
                         const Totals* biases, const float* units, Lookahead& lookahead,
                         float* HWY_RESTRICT to, size_t partial_floats) {
  constexpr int kSideLines = kGroupLines<kType> / 2;
  for (int part = 0; part < kVectors; ++part) {
    ValueSums sums[kQueries][kSides];
    for (int q = 0; q < kQueries; ++q) {
      for (int side = 0; side < kSides; ++side) sums[q][side] = ZeroValueSums();
    }
    for (int tile = 0; tile < chunk.count(); ++tile) {
      const std::byte* from = chunk.tiles[tile] + codes;
      if (part == 0) PrefetchScales<kAhead>(kSides * kSideLines, lookahead);
#pragma GCC unroll 2
      for (int pair = 0; pair < 2; ++pair) {
        ValueCodes<kType> values[kSides][2];
        for (int side = 0; side < kSides; ++side) {
          const int line = side * kSideLines + pair * kLinesPerPair<kType>;
          LoadValues<kType>(from + line * kCacheLineBytes, part, values[side]);
        }
        for (int odd = 0; odd < 2; ++odd) {
          for (int q = 0; q < kQueries; ++q) {
            const ValueCoefs four = coefs.Get(q, tile, pair * 2 + odd);
            for (int side = 0; side < kSides; ++side) Add(sums[q][side], values[side][odd], four);
          }
        }
      }
    }
    for (int q = 0; q < kQueries; ++q) {
      for (int side = 0; side < kSides; ++side) {
        Totals total = Total(sums[q][side]);
        if constexpr (kValueBias<kType> != 0) total = hn::Sub(total, biases[q]);
        float* sum = to + q * partial_floats + side * 16 + part * kLanes;
        hn::StoreU(hn::MulAdd(hn::ConvertTo(Floats(), total), hn::Set(Floats(), units[q]),
                              hn::LoadU(Floats(), sum)),
                   Floats(), sum);
      }
    }
  }
}

// Adds the weighted values of a chunk to the partials of kQueries rows. weights:
// [kQueries][kChunkTokens].
template <int kQueries, Ahead kAhead, KvType kType>
void SumCodes(const KvLayout& layout, const Chunk& chunk, const float* weights,
              Lookahead& lookahead, float* partials) {
  const size_t partial_floats = PartialFloats(layout.head_dim);
  const size_t scales = layout.k_tile_bytes();
  const int tiles = chunk.count();
  PrefetchScales<kAhead>(tiles * layout.v_scales_bytes() / kCacheLineBytes, lookahead);
  size_t codes = scales + layout.v_scales_bytes();
  for (int group = 0; group < layout.head_dim / kQuantizedDims; ++group) {
    Vector chunk_scales[kChunkVectors];
    LoadChunkScales(chunk, scales, group, chunk_scales);
    ChunkCoefs<kQueries, kType> coefs;
    Totals biases[kQueries];
    float units[kQueries];
    for (int q = 0; q < kQueries; ++q) {
      Totals rounded[kChunkVectors];
      units[q] = CodeWeights(tiles * kVectors, weights + q * kChunkTokens, chunk_scales, rounded);
      coefs.Set(q, rounded);
      if constexpr (kValueBias<kType> != 0) {
        Totals sum = rounded[0];
        for (int i = 1; i < kChunkVectors; ++i) sum = hn::Add(sum, rounded[i]);
        static_assert(kValueBias<kType> == 8);
        biases[q] = hn::ShiftLeft<3>(hn::SumOfLanes(Ints(), sum));
      }
    }
    for (int side = 0; side < 2; side += kValueSides) {
      SumSides<kQueries, kValueSides, kAhead, kType>(chunk, codes, coefs, biases, units, lookahead,
                                                     partials + group * kQuantizedDims + side * 16,
                                                     partial_floats);
      codes += kValueSides * kGroupLines<kType> / 2 * kCacheLineBytes;
    }
  }
}

#define BITFETCH_BY_ROWS(function, ahead, type)                                      \
  {                                                                                  \
    &function<1, ahead, type>, &function<2, ahead, type>, &function<3, ahead, type>, \
        &function<4, ahead, type>                                                    \
  }
#define BITFETCH_BY_AHEAD(function, type)               \
  {                                                     \
    BITFETCH_BY_ROWS(function, Ahead::kNothing, type),  \
        BITFETCH_BY_ROWS(function, Ahead::kToL1, type), \
        BITFETCH_BY_ROWS(function, Ahead::kToL2, type)  \
  }
template <KvType kType>
constexpr ScoreFunctions kScoreCodes = BITFETCH_BY_AHEAD(ScoreCodes, kType);
template <KvType kType>
constexpr SumFunctions kSumCodes = BITFETCH_BY_AHEAD(SumCodes, kType);
#undef BITFETCH_BY_AHEAD
#undef BITFETCH_BY_ROWS

constexpr CodeProducts kCodeProducts = {kScoreCodes<KvType::kQ8_0>, kScoreCodes<KvType::kQ4_0>,
                                        kSumCodes<KvType::kQ8_0>, kSumCodes<KvType::kQ4_0>};

}  // namespace BITFETCH_DOT
}  // namespace HWY_NAMESPACE
}  // namespace bitfetch
