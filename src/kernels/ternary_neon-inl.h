// SPDX-License-Identifier: Apache-2.0
// What ternary-inl.h needs of an ISA, from NEON, with or without dot products.

using Codes = int8x16_t;
constexpr int kParts = 8;  // of a pack, a vector each, in the order of its elements

template <int kSums>
HWY_INLINE Codes LoadPart(const uint8_t* pack, int part) {
  const uint8x16_t packed = vld1q_u8(pack + part % 2 * 16);
  const int place = part / 2 * 2;  // of the codes, from the top
  if (place == 0) return vreinterpretq_s8_u8(vshrq_n_u8(packed, 6));
  if (kSums > 1) return vreinterpretq_s8_u8(vandq_u8(packed, vdupq_n_u8(0xc0 >> place)));
  const int8x16_t shift = vdupq_n_s8(static_cast<int8_t>(place - 6));
  return vreinterpretq_s8_u8(vandq_u8(vshlq_u8(packed, shift), vdupq_n_u8(3)));
}
HWY_INLINE Codes LoadCodes(const uint8_t* codes) {
  return vld1q_s8(reinterpret_cast<const int8_t*>(codes));
}
HWY_INLINE void StoreCodes(Codes codes, uint8_t* to) {
  vst1q_s8(reinterpret_cast<int8_t*>(to), codes);
}

using Values = int8x16_t;
HWY_INLINE Values LoadValues(const int8_t* x) { return vld1q_s8(x); }

#ifdef BITFETCH_TERNARY_DOTPROD
using Sums = int32x4_t;
HWY_INLINE Sums ZeroSums() { return vdupq_n_s32(0); }
constexpr int64_t kChunkPacks = 16;  // 8 KiB of codes, unpacked
HWY_INLINE Sums Accumulate(Sums sums, Codes codes, Values x) { return vdotq_s32(sums, codes, x); }
HWY_INLINE int32x4_t Widen(Sums sums) { return sums; }
// Codes stay where they are, at 16, 4 and 1 times their value: shifting a sum costs less.
constexpr int kSumsOfOneToken = 4;
HWY_INLINE Sums Join(const Sums (&parts)[kSumsOfOneToken]) {
  return vaddq_s32(vaddq_s32(parts[0], parts[3]),
                   vsraq_n_s32(vshrq_n_s32(parts[1], 4), parts[2], 2));
}
#else
constexpr int kSumsOfOneToken = 1;
using Sums = int16x8_t;
HWY_INLINE Sums ZeroSums() { return vdupq_n_s16(0); }
// A pack adds 16 products of at most 2 * 128 each to a lane: 8 packs reach -32768 and no farther.
constexpr int64_t kChunkPacks = 8;
HWY_INLINE Sums Accumulate(Sums sums, Codes codes, Values x) {
  return vmlal_high_s8(vmlal_s8(sums, vget_low_s8(codes), vget_low_s8(x)), codes, x);
}
HWY_INLINE int32x4_t Widen(Sums sums) { return vpaddlq_s16(sums); }
#endif

HWY_INLINE Sums OfFours(Sums sums) { return sums; }

HWY_INLINE void AddTotals(Sums row0, Sums row1, Sums row2, Sums row3, int32_t* totals) {
  const int32x4_t rows01 = vpaddq_s32(Widen(row0), Widen(row1));
  const int32x4_t rows23 = vpaddq_s32(Widen(row2), Widen(row3));
  vst1q_s32(totals, vaddq_s32(vld1q_s32(totals), vpaddq_s32(rows01, rows23)));
}

constexpr int kTileTokensMax = 4;
constexpr bool kUnpackOnce = true;

constexpr int64_t kFivesChunk = kChunkPacks * kTernaryPack;
HWY_INLINE void SplitFives(const uint8_t* bytes, Codes (&codes)[5]) {
  const uint8x16_t low = vdupq_n_u8(3);
  const uint8x16_t packed = vld1q_u8(bytes);
  const uint8x16_t upper = vqtbl4q_u8(vld1q_u8_x4(kFivesUpper.data()), vshrq_n_u8(packed, 2));
  const uint8x16_t rest = vbslq_u8(low, packed, vandq_u8(upper, vdupq_n_u8(7 << 2)));
  const uint8x16_t lower = vqtbl2q_u8(vld1q_u8_x2(kFivesLower.data()), rest);
  codes[0] = vreinterpretq_s8_u8(vandq_u8(upper, low));
  codes[1] = vreinterpretq_s8_u8(vshrq_n_u8(upper, 6));
  codes[2] = vreinterpretq_s8_u8(vandq_u8(lower, low));
  codes[3] = vreinterpretq_s8_u8(vandq_u8(vshrq_n_u8(lower, 2), low));
  codes[4] = vreinterpretq_s8_u8(vshrq_n_u8(lower, 4));
}
template <int kCount>
HWY_INLINE void FromParts(int32_t (&/*totals*/)[5][kCount]) {}
