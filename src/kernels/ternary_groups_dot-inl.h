// SPDX-License-Identifier: Apache-2.0
// Byte products for ternary_groups-inl.h, exact: kLanes rows side by side, four columns of each,
// times four values of a token. Intrinsics, since Highway 1.0.3 has no byte products. Included in
// its namespace.
//   Line, LoadLine   the values of a token for 16 columns
//   Sums, Start      of so many rows, from `offset` on
//   Accumulate       adds columns 4 * kPart to 4 * kPart + 3 of a line
//   Total            the sums
//   kTokensAtOnce    whose sums are in registers together

using Bytes = hn::Repartition<uint8_t, Ints>;
using Codes = hn::Vec<Bytes>;
using Totals = hn::Vec<Ints>;

#if HWY_ARCH_X86

using Line = const int8_t*;
HWY_INLINE Line LoadLine(const int8_t* x) { return x; }
HWY_INLINE Totals SetFour(const int8_t* from) {
  int32_t four;
  std::memcpy(&four, from, sizeof four);
  return hn::Set(Ints(), four);
}

#if defined(BITFETCH_DOT_VNNI)
using Sums = Totals;
constexpr int kTokensAtOnce = 8;
HWY_INLINE Sums Start(int32_t offset) { return hn::Set(Ints(), offset); }
template <int kPart>
HWY_INLINE void Accumulate(Sums& sums, Codes codes, Line x) {
  sums.raw = _mm512_dpbusd_epi32(sums.raw, codes.raw, SetFour(x + 4 * kPart).raw);
}
HWY_INLINE Totals Total(Sums sums) { return sums; }
#else
// Two to a lane, of which 32 columns take none beyond 2^14.
using Shorts = hn::Repartition<int16_t, Ints>;
using Sums = hn::Vec<Shorts>;
constexpr int kTokensAtOnce = HWY_TARGET == HWY_AVX2 ? 4 : 8;
// The offset of 32 columns fits the lower half of a lane.
HWY_INLINE Sums Start(int32_t offset) {
  return hn::BitCast(Shorts(), hn::Set(Ints(), offset & 0xffff));
}
template <int kPart>
HWY_INLINE void Accumulate(Sums& sums, Codes codes, Line x) {
  const Totals four = SetFour(x + 4 * kPart);
#if HWY_TARGET == HWY_AVX2
  sums = hn::Add(sums, Sums{_mm256_maddubs_epi16(codes.raw, four.raw)});
#else
  sums = hn::Add(sums, Sums{_mm512_maddubs_epi16(codes.raw, four.raw)});
#endif
  asm("" : "+v"(sums.raw));  // GCC 12 would add neighbours first, and run out of registers
}
HWY_INLINE Totals Total(Sums sums) {
#if HWY_TARGET == HWY_AVX2
  return Totals{_mm256_madd_epi16(sums.raw, _mm256_set1_epi16(1))};
#else
  return Totals{_mm512_madd_epi16(sums.raw, _mm512_set1_epi16(1))};
#endif
}
#endif

#else  // NEON

using Line = int8x16_t;
HWY_INLINE Line LoadLine(const int8_t* x) { return vld1q_s8(x); }
constexpr int kTokensAtOnce = 4;

#if defined(BITFETCH_DOT_DOTPROD) || defined(BITFETCH_DOT_I8MM)
using Sums = int32x4_t;
HWY_INLINE Sums Start(int32_t offset) { return vdupq_n_s32(offset); }
template <int kPart>
HWY_INLINE void Accumulate(Sums& sums, Codes codes, Line x) {
  sums = vdotq_laneq_s32(sums, vreinterpretq_s8_u8(codes.raw), x, kPart);
}
HWY_INLINE Totals Total(Sums sums) { return Totals(sums); }
#else
struct Sums {
  int16x8_t low;  // four to a row
  int16x8_t high;
  int32_t offset;
};
HWY_INLINE Sums Start(int32_t offset) { return {vdupq_n_s16(0), vdupq_n_s16(0), offset}; }
template <int kPart>
HWY_INLINE void Accumulate(Sums& sums, Codes codes, Line x) {
  const int8x16_t signed_codes = vreinterpretq_s8_u8(codes.raw);
  const int8x16_t four = vreinterpretq_s8_s32(vdupq_laneq_s32(vreinterpretq_s32_s8(x), kPart));
  sums.low = vmlal_s8(sums.low, vget_low_s8(signed_codes), vget_low_s8(four));
  sums.high = vmlal_high_s8(sums.high, signed_codes, four);
}
HWY_INLINE Totals Total(const Sums& sums) {
  const int32x4_t rows = vpaddq_s32(vpaddlq_s16(sums.low), vpaddlq_s16(sums.high));
  return Totals(vaddq_s32(rows, vdupq_n_s32(sums.offset)));
}
#endif

#endif
