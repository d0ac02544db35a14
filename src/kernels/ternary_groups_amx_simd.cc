// SPDX-License-Identifier: Apache-2.0
// Products of many tokens with weights that are ternary by group in AMX's tiles: the steps of
// ternary_groups_scalar.cc for 16 tokens and 16 rows side by side. Weights lie in strips as tiles
// have them, four columns of 16 rows to a line, but for the bits of a byte.
#include "kernels/ternary_simd.h"

#if defined(__x86_64__) && !defined(BITFETCH_WITHOUT_AVX512VNNI)
#include <cstdint>

#include "hwy/base.h"
#include "kernels/fetch_into.h"
#include "kernels/intrinsics.h"
#include "kernels/simd.h"

HWY_PUSH_ATTRIBUTES("avx2,avx512f,avx512bw,avx512vl,avx512vnni,avx512vbmi,amx-tile,amx-int8")
namespace bitfetch::avx512amx {

#include "kernels/amx_tiles-inl.h"

namespace {

// With fewer tokens vectors take as long.
constexpr int64_t kLeastTokens = 8;

constexpr int64_t kLineColumns = 16;                                   // of 16 rows, in 64 bytes
constexpr int64_t kSpanBytes = kQuantizedGroup / 4 * kCacheLineBytes;  // codes of 32 columns
// Columns whose codes are unpacked at a time: whole groups, and few enough to stay in L1.
constexpr int64_t kChunkColumns = 512;

// The codes of some groups of a strip as bytes, less one, in the order of columns, and the scales
// of the rows.
struct UnpackedStrip {
  alignas(64) int8_t codes[kChunkColumns / 4][kCacheLineBytes];
  alignas(64) float scales[kChunkColumns / 64][kSide];

  // bytes: of so many groups of a strip.
  HWY_INLINE void Unpack(const uint8_t* bytes, int64_t groups, int group, FetchInto into,
                         int64_t distance) {
    const __m512i low = _mm512_set1_epi8(3), one = _mm512_set1_epi8(1);
    __m512i* to = reinterpret_cast<__m512i*>(codes);
    for (int64_t g = 0; g < groups; ++g) {
      for (int64_t column = 0; column < group; column += kLineColumns) {
        FetchLine(into, bytes + distance);
        const __m512i line = _mm512_loadu_si512(bytes);
#pragma GCC unroll 4
        for (int part = 0; part < 4; ++part) {
          const __m512i part_codes = _mm512_and_si512(_mm512_srli_epi16(line, 2 * part), low);
          _mm512_store_si512(to++, _mm512_sub_epi8(part_codes, one));
        }
        bytes += kCacheLineBytes;
      }
      const __m256i halves = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(bytes));
      _mm512_store_ps(scales[g], _mm512_cvtph_ps(halves));
      bytes += kSide * sizeof(uint16_t);
    }
  }
};

// The sums of a tile of tokens with kSpans times 32 columns, each by itself.
template <int kSpans>
HWY_INLINE void SumSpans(const int8_t* x, int64_t stride, const int8_t* codes,
                         TileTotals (&sums)[kSpans]) {
  MemoryMeetsTiles();
  _tile_zero(0);
  _tile_zero(1);
  _tile_loadd(4, x, stride);
  _tile_loadd(6, codes, kCacheLineBytes);
  _tile_dpbssd(0, 4, 6);
  _tile_loadd(5, x + kQuantizedGroup, stride);
  _tile_loadd(7, codes + kSpanBytes, kCacheLineBytes);
  _tile_dpbssd(1, 5, 7);
  if constexpr (kSpans == 4) {
    _tile_zero(2);
    _tile_zero(3);
    _tile_loadd(4, x + 2 * kQuantizedGroup, stride);
    _tile_loadd(6, codes + 2 * kSpanBytes, kCacheLineBytes);
    _tile_dpbssd(2, 4, 6);
    _tile_loadd(5, x + 3 * kQuantizedGroup, stride);
    _tile_loadd(7, codes + 3 * kSpanBytes, kCacheLineBytes);
    _tile_dpbssd(3, 5, 7);
  }
  _tile_stored(0, sums[0], kCacheLineBytes);
  _tile_stored(1, sums[1], kCacheLineBytes);
  if constexpr (kSpans == 4) {
    _tile_stored(2, sums[2], kCacheLineBytes);
    _tile_stored(3, sums[3], kCacheLineBytes);
  }
  MemoryMeetsTiles();
}

// Adds a group to the totals of a tile of tokens. scales: of the first token for the group's first
// 32 columns, `groups_of_x` to a token.
template <int kSpans>
HWY_INLINE void AddGroup(const TileTotals (&sums)[kSpans], const float* scales, int64_t groups_of_x,
                         const float* row_scales, int64_t height, float (*totals)[kSide]) {
  const __m512 of_rows = _mm512_load_ps(row_scales);
  for (int64_t t = 0; t < height; ++t, scales += groups_of_x) {
    __m512 part =
        _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_load_si512(sums[0][t])), _mm512_set1_ps(scales[0]));
#pragma GCC unroll 3
    for (int span = 1; span < kSpans; ++span) {
      part = _mm512_fmadd_ps(_mm512_cvtepi32_ps(_mm512_load_si512(sums[span][t])),
                             _mm512_set1_ps(scales[span]), part);
    }
    _mm512_store_ps(totals[t], _mm512_fmadd_ps(part, of_rows, _mm512_load_ps(totals[t])));
  }
}

// Rows [row, row + rows) of one strip for tokens from `token` on.
template <int kSpans>
HWY_INLINE void MultiplyStrip(const TernaryGroups& w, int64_t row, int64_t rows,
                              const QuantizedGroups& x, int64_t token, const TokenTiles& tokens,
                              float* out, int64_t out_stride) {
  constexpr int64_t kGroup = kSpans * kQuantizedGroup;
  const int64_t groups_of_x = x.cols / kQuantizedGroup;
  FetchProducts(out + token * out_stride + row, out_stride, rows, tokens.tokens);
  const auto* bytes =
      reinterpret_cast<const uint8_t*>(w.strips) + row / kSide * StripBytes(w.cols, w.group);
  UnpackedStrip strip;
  // [blocks of tokens][tiles of a block][tokens of a tile]
  alignas(64) float totals[kTokensAtOnce / kTokensOfBlock][2][kSide][kSide] = {};
  for (int64_t first = 0; first < x.cols; first += kChunkColumns) {
    const int64_t groups = HWY_MIN(kChunkColumns, x.cols - first) / kGroup;
    strip.Unpack(bytes, groups, kGroup, IntoOf(w.prefetch), w.prefetch.distance_bytes);
    bytes += StripBytes(groups * kGroup, kGroup);
    for (int64_t block = 0; block < tokens.blocks; ++block) {
      for (int64_t tile = 0; tile < tokens.tiles; ++tile) {
        const int64_t t = token + tokens.First(block, tile);
        const int8_t* const values = x.values + t * x.cols + first;
        const float* const scales = x.scales + t * groups_of_x + first / kQuantizedGroup;
        // Two, so that a group is multiplied while the one before is added.
        alignas(64) TileTotals sums[2][kSpans];
        SumSpans<kSpans>(values, x.cols, strip.codes[0], sums[0]);
        for (int64_t g = 0; g < groups; ++g) {
          if (g + 1 < groups) {
            SumSpans<kSpans>(values + (g + 1) * kGroup, x.cols, strip.codes[(g + 1) * kGroup / 4],
                             sums[(g + 1) % 2]);
          }
          AddGroup<kSpans>(sums[g % 2], scales + g * kSpans, groups_of_x, strip.scales[g],
                           tokens.height, totals[block][tile]);
        }
      }
    }
  }
  const auto mask = static_cast<__mmask16>((1u << HWY_MIN(rows, kSide)) - 1);
  for (int64_t block = 0; block < tokens.blocks; ++block) {
    for (int64_t tile = 0; tile < tokens.tiles; ++tile) {
      float* const to = out + (token + tokens.First(block, tile)) * out_stride + row;
      for (int64_t t = 0; t < tokens.height; ++t) {
        _mm512_mask_storeu_ps(to + t * out_stride, mask, _mm512_load_ps(totals[block][tile][t]));
      }
    }
  }
}

}  // namespace

void TernaryGroupsMatmul(const TernaryGroups& w, int64_t begin, int64_t end,
                         const QuantizedGroups& x, float* out, int64_t out_stride) {
  if (x.tokens < kLeastTokens) {
    return N_AVX3::vnni::TernaryGroupsMatmul(w, begin, end, x, out, out_stride);
  }
  for (int64_t token = 0; token < x.tokens; token += kTokensAtOnce) {
    const TokenTiles tokens(HWY_MIN(kTokensAtOnce, x.tokens - token));
    const Tiles tiles(tokens.height, kQuantizedGroup);
    for (int64_t row = begin; row < end; row += kSide) {
      const int64_t rows = HWY_MIN(kSide, end - row);
      if (w.group == 64) {
        MultiplyStrip<2>(w, row, rows, x, token, tokens, out, out_stride);
      } else {
        MultiplyStrip<4>(w, row, rows, x, token, tokens, out, out_stride);
      }
    }
  }
}

}  // namespace bitfetch::avx512amx
HWY_POP_ATTRIBUTES
#endif
