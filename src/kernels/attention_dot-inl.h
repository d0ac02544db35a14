// SPDX-License-Identifier: Apache-2.0
// The integer products of attention over quantised tiles: one vector of a line, kLanes lanes of
// four neighbouring codes, times four coefficients that all lanes share. Keys are multiplied with
// int8 coefficients, values with coefficients within +-kMostWeightCode. Exact. Intrinsics, since
// Highway 1.0.3 has no byte products. Included by attention_int-inl.h, in its namespace.
//
// Codes come as integers plus a bias, of which the sum of the coefficients times the bias has to be
// taken off.

template <KvType kType>
constexpr int kLinesPerPair = kType == KvType::kQ8_0 ? 2 : 1;  // of 64 bytes, to two of codes

using Totals = hn::Vec<Ints>;  // [kLanes]

HWY_INLINE int32_t LoadFour(const int8_t* from) {
  int32_t four;
  std::memcpy(&four, from, sizeof(four));
  return four;
}

#if defined(BITFETCH_DOT_VNNI)

// Unsigned bytes times signed ones. Signed keys are moved up by 128; signed values are multiplied
// with the bytes of coefficients that are not negative, since the scales of q8_0 are not.
using KeyCodes = __m512i;
using KeyCoefs = __m512i;
using KeySums = __m512i;

template <KvType kType>
constexpr int kKeyBias = kType == KvType::kQ8_0 ? 128 : 8;
template <KvType kType>
constexpr int kValueBias = kType == KvType::kQ8_0 ? 0 : 8;

HWY_INLINE void SplitNibbles(const std::byte* line, __m512i (&codes)[2]) {
  const __m512i both = _mm512_loadu_si512(line);
  const __m512i mask = _mm512_set1_epi8(15);
  codes[0] = _mm512_and_si512(both, mask);
  codes[1] = _mm512_and_si512(_mm512_srli_epi16(both, 4), mask);
}

// Codes of two neighbouring lines.
template <KvType kType>
HWY_INLINE void LoadKeys(const std::byte* lines, int /*part*/, KeyCodes (&codes)[2]) {
  if constexpr (kType == KvType::kQ8_0) {
    const __m512i sign = _mm512_set1_epi8(-128);
    codes[0] = _mm512_xor_si512(_mm512_loadu_si512(lines), sign);
    codes[1] = _mm512_xor_si512(_mm512_loadu_si512(lines + kCacheLineBytes), sign);
  } else {
    SplitNibbles(lines, codes);
  }
}

// The query coefficients of 32 dims.
template <int kQueries>
class GroupCoefs {
 public:
  // from: [8][kQueryBlock][4]
  HWY_INLINE explicit GroupCoefs(const int8_t* from) : from_(from) {}
  HWY_INLINE KeyCoefs Get(int line, int query) const {
    return _mm512_set1_epi32(LoadFour(from_ + (line * kQueryBlock + query) * 4));
  }

 private:
  const int8_t* from_;
};

HWY_INLINE KeySums ZeroKeySums() { return _mm512_setzero_si512(); }
HWY_INLINE void Add(KeySums& sums, KeyCodes codes, KeyCoefs coefs) {
  sums = _mm512_dpbusd_epi32(sums, codes, coefs);
}
HWY_INLINE Totals Total(KeySums sums) { return Totals{sums}; }

template <KvType kType>
struct ValueCodes {
  __m512i raw;
};
struct ValueCoefs {
  __m512i high;
  __m512i low;
};
struct ValueSums {
  __m512i high;
  __m512i low;
};

template <KvType kType>
HWY_INLINE void LoadValues(const std::byte* lines, int /*part*/, ValueCodes<kType> (&codes)[2]) {
  if constexpr (kType == KvType::kQ8_0) {
    codes[0].raw = _mm512_loadu_si512(lines);
    codes[1].raw = _mm512_loadu_si512(lines + kCacheLineBytes);
  } else {
    __m512i both[2];
    SplitNibbles(lines, both);
    codes[0].raw = both[0];
    codes[1].raw = both[1];
  }
}

// The coefficients of a chunk, in bytes: codes = 256 * high + low, both signed if codes are, else
// both unsigned. Packing moves four tokens at a time: number i of a tile to lane i of 128 bits,
// within which the tiles follow each other.
template <int kQueries, KvType kType>
class ChunkCoefs {
 public:
  // Added to codes for Set.
  static constexpr int kShift = kType == KvType::kQ8_0 ? 0 : 128;

  HWY_INLINE void Set(int query, const Totals (&codes)[kChunkTokens / kLanes]) {
    const __m512i first = _mm512_packs_epi32(codes[0].raw, codes[1].raw);
    const __m512i second = _mm512_packs_epi32(codes[2].raw, codes[3].raw);
    const __m512i mask = _mm512_set1_epi16(255);
    const __m512i low =
        _mm512_packus_epi16(_mm512_and_si512(first, mask), _mm512_and_si512(second, mask));
    const __m512i high =
        _mm512_packs_epi16(_mm512_srai_epi16(first, 8), _mm512_srai_epi16(second, 8));
    _mm512_store_si512(bytes_[query][0], high);
    _mm512_store_si512(bytes_[query][1],
                       _mm512_xor_si512(low, _mm512_set1_epi8(static_cast<char>(kShift))));
  }
  HWY_INLINE ValueCoefs Get(int query, int tile, int quad) const {
    const int first = (quad * kChunkTiles + tile) * 4;
    return {_mm512_set1_epi32(LoadFour(bytes_[query][0] + first)),
            _mm512_set1_epi32(LoadFour(bytes_[query][1] + first))};
  }

 private:
  alignas(64) int8_t bytes_[kQueries][2][kChunkTokens];
};

HWY_INLINE ValueSums ZeroValueSums() { return {_mm512_setzero_si512(), _mm512_setzero_si512()}; }
template <KvType kType>
HWY_INLINE void Add(ValueSums& sums, ValueCodes<kType> codes, const ValueCoefs& coefs) {
  if constexpr (kType == KvType::kQ8_0) {
    sums.high = _mm512_dpbusd_epi32(sums.high, coefs.high, codes.raw);
    sums.low = _mm512_dpbusd_epi32(sums.low, coefs.low, codes.raw);
  } else {
    sums.high = _mm512_dpbusd_epi32(sums.high, codes.raw, coefs.high);
    sums.low = _mm512_dpbusd_epi32(sums.low, codes.raw, coefs.low);
  }
}
HWY_INLINE Totals Total(const ValueSums& sums) {
  return Totals{_mm512_add_epi32(_mm512_slli_epi32(sums.high, 8), sums.low)};
}

#elif HWY_ARCH_X86

// Codes and coefficients as int16, multiplied and added in pairs. A vector of int16 has half of the
// lanes.
using Shorts = hn::Repartition<int16_t, Ints>;
using Short = hn::Vec<Shorts>;
struct KeyCodes {
  Short half[2];
};
using KeyCoefs = Short;
struct KeySums {
  Totals half[2];  // two sums to a lane
};

template <KvType kType>
constexpr int kKeyBias = kType == KvType::kQ8_0 ? 0 : 8;
template <KvType kType>
constexpr int kValueBias = kKeyBias<kType>;

template <KvType kType>
HWY_INLINE void LoadKeys(const std::byte* lines, int part, KeyCodes (&codes)[2]) {
  const Shorts shorts;
  const int first = part * kLanes * 4;
  for (int half = 0; half < 2; ++half) {
    const int offset = first + half * kLanes * 2;
    if constexpr (kType == KvType::kQ8_0) {
      const hn::Rebind<int8_t, Shorts> bytes;
      const auto* from = reinterpret_cast<const int8_t*>(lines) + offset;
      codes[0].half[half] = hn::PromoteTo(shorts, hn::LoadU(bytes, from));
      codes[1].half[half] = hn::PromoteTo(shorts, hn::LoadU(bytes, from + kCacheLineBytes));
    } else {
      const hn::Rebind<uint8_t, Shorts> bytes;
      const auto* from = reinterpret_cast<const uint8_t*>(lines) + offset;
      const Short both = hn::PromoteTo(shorts, hn::LoadU(bytes, from));
      codes[0].half[half] = hn::And(both, hn::Set(shorts, 15));
      codes[1].half[half] = hn::ShiftRight<4>(both);
    }
  }
}

HWY_INLINE KeyCoefs SetFour(const int16_t* from) {
  int64_t four;
  std::memcpy(&four, from, sizeof(four));
  return hn::BitCast(Shorts(), hn::Set(hn::Repartition<int64_t, Ints>(), four));
}

template <int kQueries>
class GroupCoefs {
 public:
  HWY_INLINE explicit GroupCoefs(const int8_t* from) {
    const Shorts shorts;
    const hn::Rebind<int8_t, Shorts> bytes;
    for (size_t i = 0; i < sizeof(coefs_) / sizeof(coefs_[0]); i += hn::Lanes(shorts)) {
      hn::StoreU(hn::PromoteTo(shorts, hn::LoadU(bytes, from + i)), shorts, coefs_ + i);
    }
  }
  HWY_INLINE KeyCoefs Get(int line, int query) const {
    return SetFour(Opaque(coefs_) + (line * kQueryBlock + query) * 4);
  }

 private:
  alignas(64) int16_t coefs_[8 * kQueryBlock * 4];
};

HWY_INLINE KeySums ZeroKeySums() { return {{hn::Zero(Ints()), hn::Zero(Ints())}}; }
HWY_INLINE void Add(KeySums& sums, const KeyCodes& codes, KeyCoefs coefs) {
  Unroll<2>([&](auto half) BITFETCH_LAMBDA {
    Totals unused = sums.half[half];
    sums.half[half] =
        hn::ReorderWidenMulAccumulate(Ints(), codes.half[half], coefs, sums.half[half], unused);
    // Else GCC adds up in an order of its own, for which the registers don't suffice.
    asm("" : "+v"(sums.half[half].raw));
  });
}
HWY_INLINE Totals Total(const KeySums& sums) {
  // Lanes of 128 bits apart, the sums of both halves are in order.
#if HWY_TARGET == HWY_AVX2
  const __m256i lanes = _mm256_hadd_epi32(sums.half[0].raw, sums.half[1].raw);
  return Totals{_mm256_permute4x64_epi64(lanes, 0xd8)};
#else
  const auto even = hn::ConcatEven(Ints(), sums.half[1], sums.half[0]);
  return hn::Add(even, hn::ConcatOdd(Ints(), sums.half[1], sums.half[0]));
#endif
}

template <KvType kType>
using ValueCodes = KeyCodes;
using ValueCoefs = KeyCoefs;
using ValueSums = KeySums;
HWY_INLINE ValueSums ZeroValueSums() { return ZeroKeySums(); }

template <KvType kType>
HWY_INLINE void LoadValues(const std::byte* lines, int part, ValueCodes<kType> (&codes)[2]) {
  LoadKeys<kType>(lines, part, codes);
}

// The coefficients of a chunk. Packing two vectors moves four tokens at a time: number i of both to
// lane i of 128 bits.
template <int kQueries, KvType kType>
class ChunkCoefs {
 public:
  static constexpr int kShift = 0;

  HWY_INLINE void Set(int query, const Totals (&codes)[kChunkTokens / kLanes]) {
    for (int i = 0; i < kChunkTokens / kLanes; i += 2) {
      hn::Store(hn::ReorderDemote2To(Shorts(), codes[i], codes[i + 1]), Shorts(),
                coefs_[query] + i * kLanes);
    }
  }
  HWY_INLINE ValueCoefs Get(int query, int tile, int quad) const {
    constexpr int kQuads = kLanes / 4;
    const int vector = tile * kVectors + quad / kQuads;
    const int place = vector / 2 * 2 * kQuads + quad % kQuads * 2 + vector % 2;
    return SetFour(Opaque(coefs_[query]) + place * 4);
  }

 private:
  alignas(64) int16_t coefs_[kQueries][kChunkTokens];
};

#else  // NEON

// Products of bytes fit 16 bits, and so do two of them. Coefficients of values in two signed bytes.
using KeyCodes = int8x16_t;
using KeyCoefs = int8x16_t;
using KeySums = int32x4_t;

template <KvType kType>
constexpr int kKeyBias = kType == KvType::kQ8_0 ? 0 : 8;
template <KvType kType>
constexpr int kValueBias = kKeyBias<kType>;

template <KvType kType>
HWY_INLINE void LoadKeys(const std::byte* lines, int part, KeyCodes (&codes)[2]) {
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

HWY_INLINE int8x16_t SetFour(const int8_t* from) {
  return vreinterpretq_s8_s32(vdupq_n_s32(LoadFour(from)));
}

template <int kQueries>
class GroupCoefs {
 public:
  HWY_INLINE explicit GroupCoefs(const int8_t* from) : from_(from) {}
  HWY_INLINE KeyCoefs Get(int line, int query) const {
    return SetFour(from_ + (line * kQueryBlock + query) * 4);
  }

 private:
  const int8_t* from_;
};

HWY_INLINE KeySums ZeroKeySums() { return vdupq_n_s32(0); }
HWY_INLINE void Add(KeySums& sums, KeyCodes codes, KeyCoefs coefs) {
  const int16x8_t low = vmull_s8(vget_low_s8(codes), vget_low_s8(coefs));
  const int16x8_t high = vmull_high_s8(codes, coefs);
  sums = vpadalq_s16(sums, vpaddq_s16(low, high));
}
HWY_INLINE Totals Total(KeySums sums) { return Totals(sums); }

template <KvType kType>
using ValueCodes = KeyCodes;
struct ValueCoefs {
  int8x16_t high;
  int8x16_t low;
};
struct ValueSums {
  int32x4_t high;
  int32x4_t low;
};

template <KvType kType>
HWY_INLINE void LoadValues(const std::byte* lines, int part, ValueCodes<kType> (&codes)[2]) {
  LoadKeys<kType>(lines, part, codes);
}

template <int kQueries, KvType kType>
class ChunkCoefs {
 public:
  static constexpr int kShift = 128;

  HWY_INLINE void Set(int query, const Totals (&codes)[kChunkTokens / kLanes]) {
    const hn::Rebind<int8_t, Ints> bytes;
    for (int i = 0; i < kChunkTokens / kLanes; ++i) {
      const Totals high = hn::ShiftRight<8>(codes[i]);
      const Totals low =
          hn::Sub(hn::Sub(codes[i], hn::ShiftLeft<8>(high)), hn::Set(Ints(), kShift));
      hn::StoreU(hn::DemoteTo(bytes, high), bytes, bytes_[query][0] + i * kLanes);
      hn::StoreU(hn::DemoteTo(bytes, low), bytes, bytes_[query][1] + i * kLanes);
    }
  }
  HWY_INLINE ValueCoefs Get(int query, int tile, int quad) const {
    const int first = tile * kTileTokens + quad * 4;
    return {SetFour(bytes_[query][0] + first), SetFour(bytes_[query][1] + first)};
  }

 private:
  int8_t bytes_[kQueries][2][kChunkTokens];
};

HWY_INLINE ValueSums ZeroValueSums() { return {vdupq_n_s32(0), vdupq_n_s32(0)}; }
HWY_INLINE void Add(ValueSums& sums, KeyCodes codes, const ValueCoefs& coefs) {
  Add(sums.high, codes, coefs.high);
  Add(sums.low, codes, coefs.low);
}
HWY_INLINE Totals Total(const ValueSums& sums) {
  return Totals(vaddq_s32(vshlq_n_s32(sums.high, 8), sums.low));
}

#endif
