// SPDX-License-Identifier: Apache-2.0
// The integer products of attention over quantised tiles: one vector of a line, kLanes lanes of
// four neighbouring codes, times four coefficients that all lanes share. Exact. Intrinsics, since
// Highway 1.0.3 has no byte products. Included by attention_int-inl.h, in its namespace, which
// needs of every kind of integer products:
//
//   Keys<kType>          codes times int8 coefficients
//     kBias              codes stand for integers that are this much smaller
//     kTiles             whose sums are in registers together
//     kRows              of queries that share sums and coefficients
//     Codes, Load        of one vector of two neighbouring lines
//     Coefs, SpanCoefs  of 32 dims of kQueries rows
//     Sums, Zero, Add, Total
//   Values<kType>        codes times coefficients within +-kMaxWeightCode, in the same way
//     kSides             times sixteen dims whose sums are in registers together
//     ChunkCoefs         of all tokens of a chunk; kShift is added to what it is given

using Totals = hn::Vec<Ints>;  // [kLanes]
constexpr int kChunkVectors = kChunkTokens / kLanes;

template <int kIndex>
using Index = std::integral_constant<int, kIndex>;

template <KvType kType>
constexpr int kLinesPerPair = kType == KvType::kQ8_0 ? 2 : 1;  // of 64 bytes, to two of codes

HWY_INLINE int32_t LoadFour(const int8_t* from) {
  int32_t four;
  std::memcpy(&four, from, sizeof(four));
  return four;
}

#if HWY_ARCH_X86

using Bytes = hn::Repartition<int8_t, Ints>;
using Byte = hn::Vec<Bytes>;

HWY_INLINE Byte LoadBytes(const std::byte* from) {
  return hn::LoadU(Bytes(), reinterpret_cast<const int8_t*>(from));
}
HWY_INLINE void SplitNibbles(Byte both, Byte (&codes)[2]) {
  const hn::Repartition<uint16_t, Ints> words;
  const Byte mask = hn::Set(Bytes(), 15);
  codes[0] = hn::And(both, mask);
  codes[1] = hn::And(hn::BitCast(Bytes(), hn::ShiftRight<4>(hn::BitCast(words, both))), mask);
}
HWY_INLINE Byte SetFour(const int8_t* from) {
  return hn::BitCast(Bytes(), hn::Set(Ints(), LoadFour(from)));
}

// The coefficients of 32 dims as they are prepared.
template <int kQueries>
class PreparedCoefs {
 public:
  // from: [8][kQueryPanel][4]
  HWY_INLINE explicit PreparedCoefs(const int8_t* from) : from_(from) {}
  HWY_INLINE Byte Get(int line, int query) const {
    return SetFour(from_ + (line * kQueryPanel + query) * 4);
  }

 private:
  const int8_t* from_;
};

#if defined(BITFETCH_DOT_VNNI)
#include "kernels/attention_dot_vnni-inl.h"
#else
#include "kernels/attention_dot_avx-inl.h"
#endif

#else  // NEON

template <KvType kType>
constexpr int kUnsignedBy = kType == KvType::kQ8_0 ? 0 : 8;

template <KvType kType>
HWY_INLINE void LoadPair(const std::byte* lines, int part, int8x16_t (&codes)[2]) {
  const int offset = part * kLanes * 4;
  if constexpr (kType == KvType::kQ8_0) {
    const auto* from = reinterpret_cast<const int8_t*>(lines) + offset;
    codes[0] = vld1q_s8(from);
    codes[1] = vld1q_s8(from + kCacheLineBytes);
  } else {
    const uint8x16_t both = vld1q_u8(reinterpret_cast<const uint8_t*>(lines) + offset);
    codes[0] = vreinterpretq_s8_u8(vandq_u8(both, vdupq_n_u8(15)));
    codes[1] = vreinterpretq_s8_u8(vshrq_n_u8(both, 4));
  }
}

// Sixteen coefficients within +-kMaxWeightCode as their high and their low bytes, all signed.
constexpr int kLowShift = 128;  // added before, so that low bytes carry
struct TwoBytes {
  HWY_INLINE explicit TwoBytes(const Totals* codes) {
    const auto halves = [](Totals x) HWY_ATTR { return vreinterpretq_s16_s32(x.raw); };
    const int8x16_t first = vreinterpretq_s8_s16(vuzp1q_s16(halves(codes[0]), halves(codes[1])));
    const int8x16_t second = vreinterpretq_s8_s16(vuzp1q_s16(halves(codes[2]), halves(codes[3])));
    high = vuzp2q_s8(first, second);
    low = veorq_s8(vuzp1q_s8(first, second), vdupq_n_s8(-kLowShift));
  }
  int8x16_t high;
  int8x16_t low;
};

#if defined(BITFETCH_DOT_I8MM)
#include "kernels/attention_dot_i8mm-inl.h"
#else
#include "kernels/attention_dot_neon-inl.h"
#endif

#endif
