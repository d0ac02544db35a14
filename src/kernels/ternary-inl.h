// SPDX-License-Identifier: Apache-2.0
// Ternary products, exact in integers: sum of (code - 1) * x = sum of code * x - sum of x, with
// codes as unsigned and x as signed bytes. Intrinsics, since Highway 1.0.3 has no byte products.
// Included by ternary_simd.cc once for each ISA, in a namespace and with the attributes of that
// ISA.

HWY_PUSH_ATTRIBUTES(BITFETCH_TERNARY_TARGET)
namespace bitfetch::BITFETCH_TERNARY_ISA {

#if defined(__x86_64__)

// The codes of one block of 128 elements, in the order of the elements: 32 in each part.
struct BlockCodes {
  static constexpr int kParts = 4;
  static constexpr int Offset(int part) { return part * 32; }
  __m256i part[kParts];
};

HWY_INLINE BlockCodes Unpack(const uint8_t* block) {
  const __m256i packed = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(block));
  const __m256i mask = _mm256_set1_epi8(3);
  return {{_mm256_and_si256(_mm256_srli_epi16(packed, 6), mask),
           _mm256_and_si256(_mm256_srli_epi16(packed, 4), mask),
           _mm256_and_si256(_mm256_srli_epi16(packed, 2), mask), _mm256_and_si256(packed, mask)}};
}

// Sums of a few blocks, which Widen adds to the total before they can overflow.
using Narrow = __m256i;
using Wide = __m256i;

HWY_INLINE Wide ZeroWide() { return _mm256_setzero_si256(); }
HWY_INLINE Narrow ZeroNarrow() { return _mm256_setzero_si256(); }

#ifdef BITFETCH_TERNARY_VNNI
constexpr int64_t kBlocksPerWiden = INT64_MAX;
HWY_INLINE Narrow Accumulate(Narrow sum, __m256i codes, const int8_t* x) {
  return _mm256_dpbusd_epi32(sum, codes, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(x)));
}
HWY_INLINE Wide Widen(Wide total, Narrow sum) { return _mm256_add_epi32(total, sum); }
#else
// A block adds 4 pairs of products of at most 2 * 128 each to a lane: 16 blocks reach -32768 and no
// farther.
constexpr int64_t kBlocksPerWiden = 16;
HWY_INLINE Narrow Accumulate(Narrow sum, __m256i codes, const int8_t* x) {
  const __m256i input = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(x));
  return _mm256_add_epi16(sum, _mm256_maddubs_epi16(codes, input));
}
HWY_INLINE Wide Widen(Wide total, Narrow sum) {
  return _mm256_add_epi32(total, _mm256_madd_epi16(sum, _mm256_set1_epi16(1)));
}
#endif

HWY_INLINE int32_t Total(Wide total) {
  const __m128i half =
      _mm_add_epi32(_mm256_castsi256_si128(total), _mm256_extracti128_si256(total, 1));
  const __m128i quarter = _mm_add_epi32(half, _mm_shuffle_epi32(half, 0x4e));
  return _mm_cvtsi128_si32(_mm_add_epi32(quarter, _mm_shuffle_epi32(quarter, 0xb1)));
}

#else  // NEON

struct BlockCodes {
  static constexpr int kParts = 8;
  static constexpr int Offset(int part) { return part % 4 * 32 + part / 4 * 16; }
  int8x16_t part[kParts];
};

HWY_INLINE BlockCodes Unpack(const uint8_t* block) {
  const uint8x16_t mask = vdupq_n_u8(3);
  BlockCodes codes;
  for (int half = 0; half < 2; ++half) {
    const uint8x16_t packed = vld1q_u8(block + half * 16);
    codes.part[half * 4 + 0] = vreinterpretq_s8_u8(vshrq_n_u8(packed, 6));
    codes.part[half * 4 + 1] = vreinterpretq_s8_u8(vandq_u8(vshrq_n_u8(packed, 4), mask));
    codes.part[half * 4 + 2] = vreinterpretq_s8_u8(vandq_u8(vshrq_n_u8(packed, 2), mask));
    codes.part[half * 4 + 3] = vreinterpretq_s8_u8(vandq_u8(packed, mask));
  }
  return codes;
}

using Narrow = int16x8_t;
using Wide = int32x4_t;

HWY_INLINE Wide ZeroWide() { return vdupq_n_s32(0); }
HWY_INLINE Narrow ZeroNarrow() { return vdupq_n_s16(0); }

// A block adds 16 products of at most 2 * 128 each to a lane.
constexpr int64_t kBlocksPerWiden = 8;
HWY_INLINE Narrow Accumulate(Narrow sum, int8x16_t codes, const int8_t* x) {
  const int8x16_t input = vld1q_s8(x);
  return vmlal_high_s8(vmlal_s8(sum, vget_low_s8(codes), vget_low_s8(input)), codes, input);
}
HWY_INLINE Wide Widen(Wide total, Narrow sum) { return vpadalq_s16(total, sum); }
HWY_INLINE int32_t Total(Wide total) { return vaddvq_s32(total); }

#endif

// Sums of code * x for kRows rows and kTokens tokens.
template <int kRows, int kTokens>
HWY_INLINE void SumCodes(const uint8_t* rows, size_t row_bytes, const int8_t* x, int64_t stride,
                         int32_t (&sums)[kRows][kTokens]) {
  const int64_t blocks = static_cast<int64_t>(row_bytes) / 32;
  Wide totals[kRows][kTokens];
  for (auto& row : totals) {
    for (Wide& total : row) total = ZeroWide();
  }
  for (int64_t first = 0; first < blocks;) {
    const int64_t end = blocks - first > kBlocksPerWiden ? first + kBlocksPerWiden : blocks;
    Narrow narrow[kRows][kTokens];
    for (auto& row : narrow) {
      for (Narrow& sum : row) sum = ZeroNarrow();
    }
    for (; first < end; ++first) {
      for (int r = 0; r < kRows; ++r) {
        const BlockCodes codes = Unpack(rows + r * row_bytes + first * 32);
        for (int part = 0; part < BlockCodes::kParts; ++part) {
          for (int t = 0; t < kTokens; ++t) {
            narrow[r][t] =
                Accumulate(narrow[r][t], codes.part[part],
                           x + t * stride + first * kTernaryBlock + BlockCodes::Offset(part));
          }
        }
      }
    }
    for (int r = 0; r < kRows; ++r) {
      for (int t = 0; t < kTokens; ++t) totals[r][t] = Widen(totals[r][t], narrow[r][t]);
    }
  }
  for (int r = 0; r < kRows; ++r) {
    for (int t = 0; t < kTokens; ++t) sums[r][t] = Total(totals[r][t]);
  }
}

template <int kRows, int kTokens>
HWY_INLINE void MultiplyTile(const TernaryRows& w, int64_t row, const QuantizedRows& x,
                             int64_t token, float* out, int64_t out_stride) {
  int32_t sums[kRows][kTokens];
  SumCodes<kRows, kTokens>(w.codes + row * w.row_bytes, w.row_bytes, x.values + token * x.stride,
                           x.stride, sums);
  for (int t = 0; t < kTokens; ++t) {
    for (int r = 0; r < kRows; ++r) {
      const int32_t sum = sums[r][t] - x.sums[token + t];
      out[(token + t) * out_stride + row + r] =
          static_cast<float>(sum) * x.scales[token + t] * w.scale;
    }
  }
}

// A few tokens stay in L1 while all rows pass by.
template <int kTokens>
HWY_INLINE void MultiplyTokens(const TernaryRows& w, int64_t begin, int64_t end,
                               const QuantizedRows& x, int64_t token, float* out,
                               int64_t out_stride) {
  constexpr int kRows = kTokens == 1 ? 4 : 1;
  int64_t row = begin;
  for (; row + kRows <= end; row += kRows)
    MultiplyTile<kRows, kTokens>(w, row, x, token, out, out_stride);
  for (; row < end; ++row) MultiplyTile<1, kTokens>(w, row, x, token, out, out_stride);
}

void TernaryMatmul(const TernaryRows& w, int64_t begin, int64_t end, const QuantizedRows& x,
                   float* out, int64_t out_stride) {
  int64_t token = 0;
  for (; token + 4 <= x.tokens; token += 4)
    MultiplyTokens<4>(w, begin, end, x, token, out, out_stride);
  for (; token + 2 <= x.tokens; token += 2)
    MultiplyTokens<2>(w, begin, end, x, token, out, out_stride);
  for (; token < x.tokens; ++token) MultiplyTokens<1>(w, begin, end, x, token, out, out_stride);
}

}  // namespace bitfetch::BITFETCH_TERNARY_ISA
HWY_POP_ATTRIBUTES

#undef BITFETCH_TERNARY_ISA
#undef BITFETCH_TERNARY_TARGET
