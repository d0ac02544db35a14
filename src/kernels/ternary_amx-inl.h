// SPDX-License-Identifier: Apache-2.0
// Ternary products of many tokens in AMX's tiles, exact in integers as those of ternary-inl.h.
// Included by ternary_simd.cc behind the products of AVX-512 VNNI, which fewer tokens keep.
//
// Rows of weights are turned, so that four columns of 16 rows lie side by side, while four columns,
// or five rows, still share a byte.

HWY_PUSH_ATTRIBUTES("avx2,avx512f,avx512bw,avx512vl,avx512vnni,avx512vbmi,amx-tile,amx-int8")
namespace bitfetch::avx512amx {

using avx512vnni::kFive;

#include "kernels/amx_tiles-inl.h"

// Steps of 64 columns: codes of so many leave most of L1 to the activations.
constexpr int64_t kChunkSteps = 4;
constexpr int64_t kChunkColumns = kChunkSteps * kTileColumns;

// With fewer tokens turning the rows takes longer than tiles save.
constexpr int64_t kLeastTokens = 6;

// Adds to the sums of kTokenTiles tiles of tokens and kRowTiles of weights what `steps` steps give.
// x: [kTokenTiles]; codes: a chunk of a tile, [kChunkSteps] of them; totals: [kTokenTiles] lie
// apart by `apart`.
template <int kTokenTiles, int kRowTiles>
HWY_INLINE void AddTiles(const int8_t* const (&x)[2], int64_t stride, const uint8_t* codes,
                         int64_t steps, bool first, TileTotals* totals, int64_t apart) {
  constexpr int64_t kTotalsStride = sizeof(totals[0][0]);
  const uint8_t* const next_codes = codes + kChunkSteps * kTileBytes;
  if (first) {
    _tile_zero(0);
    if constexpr (kRowTiles > 1) _tile_zero(1);
    if constexpr (kTokenTiles > 1) _tile_zero(2);
    if constexpr (kTokenTiles > 1 && kRowTiles > 1) _tile_zero(3);
  } else {
    _tile_loadd(0, totals[0], kTotalsStride);
    if constexpr (kRowTiles > 1) _tile_loadd(1, totals[1], kTotalsStride);
    if constexpr (kTokenTiles > 1) _tile_loadd(2, totals[apart], kTotalsStride);
    if constexpr (kTokenTiles > 1 && kRowTiles > 1) {
      _tile_loadd(3, totals[apart + 1], kTotalsStride);
    }
  }
  for (int64_t step = 0; step < steps; ++step) {
    _tile_loadd(6, codes + step * kTileBytes, kTileColumns);
    _tile_loadd(4, x[0] + step * kTileColumns, stride);
    _tile_dpbsud(0, 4, 6);
    if constexpr (kRowTiles > 1) {
      _tile_loadd(7, next_codes + step * kTileBytes, kTileColumns);
      _tile_dpbsud(1, 4, 7);
    }
    if constexpr (kTokenTiles > 1) {
      _tile_loadd(5, x[1] + step * kTileColumns, stride);
      _tile_dpbsud(2, 5, 6);
      if constexpr (kRowTiles > 1) _tile_dpbsud(3, 5, 7);
    }
  }
  _tile_stored(0, totals[0], kTotalsStride);
  if constexpr (kRowTiles > 1) _tile_stored(1, totals[1], kTotalsStride);
  if constexpr (kTokenTiles > 1) _tile_stored(2, totals[apart], kTotalsStride);
  if constexpr (kTokenTiles > 1 && kRowTiles > 1) {
    _tile_stored(3, totals[apart + 1], kTotalsStride);
  }
}

// What kRowTiles times 16 rows and some tokens have in common.
template <int kRowTiles>
struct Block {
  alignas(64) uint8_t codes[kRowTiles][kChunkSteps * kTileBytes];
  // [blocks of tokens][tiles of a block]
  alignas(64) TileTotals totals[kTokensAtOnce / kTokensOfBlock][2][kRowTiles];

  // Adds what the codes of a chunk, from column `first` on, give.
  HWY_INLINE void Add(const TokenTiles& tokens, const int8_t* x, int64_t stride, int64_t first,
                      int64_t steps) {
    MemoryMeetsTiles();
    for (int64_t block = 0; block < tokens.blocks; ++block) {
      const int8_t* const of_tile[] = {x + tokens.First(block, 0) * stride + first,
                                       x + tokens.First(block, 1) * stride + first};
      for (int tile = 0; tile < kRowTiles; tile += 2) {
        TileTotals* const to = totals[block][0] + tile;
        const bool two = tile + 1 < kRowTiles;
        if (tokens.tiles == 2 && two) {
          AddTiles<2, 2>(of_tile, stride, codes[tile], steps, first == 0, to, kRowTiles);
        } else if (tokens.tiles == 2) {
          AddTiles<2, 1>(of_tile, stride, codes[tile], steps, first == 0, to, kRowTiles);
        } else if (two) {
          AddTiles<1, 2>(of_tile, stride, codes[tile], steps, first == 0, to, kRowTiles);
        } else {
          AddTiles<1, 1>(of_tile, stride, codes[tile], steps, first == 0, to, kRowTiles);
        }
      }
    }
    MemoryMeetsTiles();
  }

  // write(token, [kRowTiles][16] totals of tile 0, 1, ...), one after another kSide * kSide apart.
  template <class Write>
  HWY_INLINE void ForEachToken(const TokenTiles& tokens, const Write& write) const {
    for (int64_t block = 0; block < tokens.blocks; ++block) {
      for (int64_t tile = 0; tile < tokens.tiles; ++tile) {
        for (int64_t t = 0; t < tokens.height; ++t) {
          write(tokens.First(block, tile) + t, &totals[block][tile][0][t]);
        }
      }
    }
  }
};

// 4 x 4 numbers in each 128 bits: number i of vector 4 * k + j to number j of vector 4 * k + i.
template <int kCount>
HWY_INLINE void TurnFours(__m512i (&v)[kCount]) {
#pragma GCC unroll 4
  for (int k = 0; k < kCount; k += 4) {
    const __m512i a = _mm512_unpacklo_epi32(v[k], v[k + 1]);
    const __m512i b = _mm512_unpackhi_epi32(v[k], v[k + 1]);
    const __m512i c = _mm512_unpacklo_epi32(v[k + 2], v[k + 3]);
    const __m512i d = _mm512_unpackhi_epi32(v[k + 2], v[k + 3]);
    v[k] = _mm512_unpacklo_epi64(a, c);
    v[k + 1] = _mm512_unpackhi_epi64(a, c);
    v[k + 2] = _mm512_unpacklo_epi64(b, d);
    v[k + 3] = _mm512_unpackhi_epi64(b, d);
  }
}

// Codes of a chunk of 16 rows that have four columns in a byte. A pack fills two tiles.
HWY_INLINE void UnpackFours(const uint8_t* const (&row)[kSide], int64_t packs, FetchInto into,
                            const uint8_t* ahead, uint8_t* codes) {
  for (int64_t pack = 0; pack < packs; ++pack) {
    const int64_t at = pack * avx512vnni::kPackBytes;
    for (int64_t line = 0; line < kSide * avx512vnni::kPackBytes; line += kCacheLineBytes) {
      FetchLine(into, ahead + pack * kSide * avx512vnni::kPackBytes + line);
    }
    const auto load = [&](int64_t r) {
      return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(row[r] + at));
    };
    __m512i turned[8];
#pragma GCC unroll 8
    for (int i = 0; i < 8; ++i) {
      const int r = i % 4 + i / 4 * 8;
      turned[i] = avx512vnni::Halves(load(r), load(r + 4));
    }
    TurnFours(turned);
    uint8_t* const to = codes + pack * 2 * kTileBytes;
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      const __m512i quads[] = {_mm512_shuffle_i64x2(turned[i], turned[4 + i], 0x88),
                               _mm512_shuffle_i64x2(turned[i], turned[4 + i], 0xdd)};
#pragma GCC unroll 2
      for (int half = 0; half < 2; ++half) {
#pragma GCC unroll 4
        for (int part = 0; part < 4; ++part) {
          const __m512i shifted = _mm512_srli_epi16(quads[half], 6 - 2 * part);
          _mm512_store_si512(to + part * kTileBytes / 2 + (half * 4 + i) * kTileColumns,
                             _mm512_and_si512(shifted, _mm512_set1_epi8(3)));
        }
      }
    }
  }
}

// The same of 16 lines that have five rows in a byte: a tile for each of the parts that
// SplitFives makes of them.
HWY_INLINE void UnpackFives(const uint8_t* const (&line)[kSide], int64_t steps, FetchInto into,
                            const uint8_t* ahead, uint8_t (*codes)[kChunkSteps * kTileBytes]) {
  for (int64_t step = 0; step < steps; ++step) {
    __m512i turned[kSide];
#pragma GCC unroll 16
    for (int i = 0; i < kSide; ++i) {
      FetchLine(into, ahead + (step * kSide + i) * kCacheLineBytes);
      turned[i] = _mm512_loadu_si512(line[i] + step * kTileColumns);
    }
    TurnFours(turned);
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      // Of lanes, 128 bits each: columns of 16 from lane to lane, lines of 4 from vector to vector.
      const __m512i a = _mm512_shuffle_i32x4(turned[i], turned[4 + i], 0x88);
      const __m512i b = _mm512_shuffle_i32x4(turned[i], turned[4 + i], 0xdd);
      const __m512i c = _mm512_shuffle_i32x4(turned[8 + i], turned[12 + i], 0x88);
      const __m512i d = _mm512_shuffle_i32x4(turned[8 + i], turned[12 + i], 0xdd);
      const __m512i quads[] = {_mm512_shuffle_i32x4(a, c, 0x88), _mm512_shuffle_i32x4(b, d, 0x88),
                               _mm512_shuffle_i32x4(a, c, 0xdd), _mm512_shuffle_i32x4(b, d, 0xdd)};
#pragma GCC unroll 4
      for (int k = 0; k < 4; ++k) {
        __m512i parts[kFive];
        avx512vnni::SplitFives(quads[k], parts);
        const int64_t at = step * kTileBytes + (k * 4 + i) * kTileColumns;
#pragma GCC unroll 5
        for (int n = 0; n < kFive; ++n) _mm512_store_si512(codes[n] + at, parts[n]);
      }
    }
  }
}

// A block's rows are read side by side, so that what is next in memory is the block behind it,
// farther off than plans for rows that follow each other know, and too much for L1.
HWY_INLINE FetchInto IntoNextBlock(const PrefetchPlan& plan) {
  return plan.on ? FetchInto::kL2 : FetchInto::kNowhere;
}

HWY_INLINE __m512 ProductsOf(const TernaryRows& w, const QuantizedRows& x, int64_t token,
                             __m512i totals) {
  const __m512i sums = _mm512_sub_epi32(totals, _mm512_set1_epi32(x.sums[token]));
  return _mm512_mul_ps(_mm512_mul_ps(_mm512_cvtepi32_ps(sums), _mm512_set1_ps(x.scales[token])),
                       _mm512_set1_ps(w.scale));
}

// Rows [row, row + rows), at most 32, for tokens from `token` on.
HWY_INLINE void MultiplyFours(const TernaryRows& w, int64_t row, int64_t rows,
                              const QuantizedRows& x, int64_t token, const TokenTiles& tokens,
                              float* out, int64_t out_stride) {
  constexpr int64_t kRowTiles = 2;
  Block<kRowTiles> block;
  const FetchInto into = IntoNextBlock(w.prefetch);
  FetchProducts(out + token * out_stride + row, out_stride, rows, tokens.tokens);
  const auto row_bytes = static_cast<int64_t>(w.row_bytes);
  const int64_t packs = row_bytes / avx512vnni::kPackBytes;
  constexpr int64_t kPacks = kChunkColumns / kTernaryPack;
  for (int64_t first = 0; first < packs; first += kPacks) {
    const int64_t of_chunk = HWY_MIN(kPacks, packs - first);
    for (int64_t tile = 0; tile < kRowTiles; ++tile) {
      const int64_t begin = row + tile * kSide;
      const uint8_t* of_row[kSide];
      for (int64_t r = 0; r < kSide; ++r) {
        const int64_t in_reach = HWY_MIN(begin + r, row + rows - 1);
        of_row[r] = w.codes + in_reach * row_bytes + first * avx512vnni::kPackBytes;
      }
      const uint8_t* const ahead = w.codes + (begin + kRowTiles * kSide) * row_bytes +
                                   first * kSide * avx512vnni::kPackBytes;
      UnpackFours(of_row, of_chunk, into, ahead, block.codes[tile]);
    }
    block.Add(tokens, x.values + token * x.stride, x.stride, first * kTernaryPack,
              of_chunk * kTernaryPack / kTileColumns);
  }
  block.ForEachToken(tokens, [&](int64_t t, const int32_t(*totals)[kSide]) {
    float* const to = out + (token + t) * out_stride + row;
    for (int64_t tile = 0; tile < kRowTiles; ++tile) {
      const int64_t left = rows - tile * kSide;
      if (left <= 0) break;
      const auto mask = static_cast<__mmask16>((1u << HWY_MIN(left, kSide)) - 1);
      _mm512_mask_storeu_ps(to + tile * kSide, mask,
                            ProductsOf(w, x, token + t, _mm512_load_si512(totals[tile * kSide])));
    }
  });
}

// Products of five rows each, one vector a row of the five, as they follow each other in memory.
struct FiveByFive {
  alignas(64) int32_t line[kFive][kSide];  // where it comes from, and which of two vectors
  __mmask16 of[kFive][kFive];              // by vector: who comes from row n
};
constexpr FiveByFive kInOrder = [] {
  FiveByFive order{};
  for (int64_t i = 0; i < kFive * kSide; ++i) {
    const int64_t n = i % kFive;
    order.line[i / kSide][i % kSide] = static_cast<int32_t>(i / kFive + n % 2 * kSide);
    order.of[i / kSide][n] |= static_cast<__mmask16>(1u << i % kSide);
  }
  return order;
}();
HWY_INLINE __m512 InOrder(const __m512 (&rows)[kFive], int vector) {
  const __m512i line = _mm512_load_si512(kInOrder.line[vector]);
  const auto& of = kInOrder.of[vector];
  const __m512 first = _mm512_permutex2var_ps(rows[0], line, rows[1]);
  const __m512 second = _mm512_permutex2var_ps(rows[2], line, rows[3]);
  const __m512 four = _mm512_mask_mov_ps(first, of[2] | of[3], second);
  return _mm512_mask_permutexvar_ps(four, of[4], line, rows[4]);
}

// Rows [row, row + rows) of 16 lines of five, for tokens from `token` on.
HWY_INLINE void MultiplyFives(const TernaryRows& w, int64_t row, int64_t rows,
                              const QuantizedRows& x, int64_t token, const TokenTiles& tokens,
                              float* out, int64_t out_stride) {
  Block<kFive> block;
  const FetchInto into = IntoNextBlock(w.prefetch);
  FetchProducts(out + token * out_stride + row, out_stride, rows, tokens.tokens);
  const auto columns = static_cast<int64_t>(w.row_bytes);
  const int64_t first_line = row / kFive, last_line = (row + rows - 1) / kFive;
  for (int64_t first = 0; first < columns; first += kChunkColumns) {
    const int64_t steps = HWY_MIN(kChunkColumns, columns - first) / kTileColumns;
    const uint8_t* line[kSide];
    for (int64_t i = 0; i < kSide; ++i) {
      line[i] = w.codes + HWY_MIN(first_line + i, last_line) * columns + first;
    }
    const uint8_t* const ahead = w.codes + (first_line + kSide) * columns + first * kSide;
    UnpackFives(line, steps, into, ahead, block.codes);
    block.Add(tokens, x.values + token * x.stride, x.stride, first, steps);
  }
  block.ForEachToken(tokens, [&](int64_t t, const int32_t(*totals)[kSide]) {
    alignas(64) int32_t of_rows[kFive][kSide];
    for (int n = 0; n < kFive; ++n) {
      _mm512_store_si512(of_rows[n], _mm512_load_si512(totals[n * kSide]));
    }
    avx512vnni::FromParts(of_rows);
    __m512 products[kFive];
    for (int n = 0; n < kFive; ++n) {
      products[n] = ProductsOf(w, x, token + t, _mm512_load_si512(of_rows[n]));
    }
    alignas(64) float ordered[kFive * kSide];
    for (int i = 0; i < kFive; ++i) _mm512_store_ps(ordered + i * kSide, InOrder(products, i));
    std::copy_n(ordered + row % kFive, rows, out + (token + t) * out_stride + row);
  });
}

// NOLINTNEXTLINE(misc-definitions-in-headers): once
void TernaryMatmul(const TernaryRows& w, int64_t begin, int64_t end, const QuantizedRows& x,
                   float* out, int64_t out_stride) {
  const bool fives = w.packing == TernaryPacking::kFives;
  // Sums of more columns that have five rows in a byte would leave an int32.
  const bool fits = !fives || static_cast<int64_t>(w.row_bytes) <= avx512vnni::kFivesChunk;
  if (x.tokens < kLeastTokens || !fits) {
    return avx512vnni::TernaryMatmul(w, begin, end, x, out, out_stride);
  }
  const int64_t together = fives ? kSide * kFive : 2 * kSide;
  for (int64_t token = 0; token < x.tokens; token += kTokensAtOnce) {
    const TokenTiles tokens(HWY_MIN(kTokensAtOnce, x.tokens - token));
    const Tiles tiles(tokens.height, kTileColumns);
    for (int64_t row = begin, next; row < end; row = next) {
      next = HWY_MIN((row / together + 1) * together, end);
      if (fives) {
        MultiplyFives(w, row, next - row, x, token, tokens, out, out_stride);
      } else {
        MultiplyFours(w, row, next - row, x, token, tokens, out, out_stride);
      }
    }
  }
}

}  // namespace bitfetch::avx512amx
HWY_POP_ATTRIBUTES
