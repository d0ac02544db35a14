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
//     Coefs, GroupCoefs  of 32 dims of kQueries rows
//     Sums, Zero, Add, Total
//   Values<kType>        codes times coefficients within +-kMostWeightCode, in the same way
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
  // from: [8][kQueryBlock][4]
  HWY_INLINE explicit PreparedCoefs(const int8_t* from) : from_(from) {}
  HWY_INLINE Byte Get(int line, int query) const {
    return SetFour(from_ + (line * kQueryBlock + query) * 4);
  }

 private:
  const int8_t* from_;
};

#endif

#if defined(BITFETCH_DOT_VNNI)

// Products of unsigned bytes and signed ones. Signed keys are moved up by 128.
template <KvType kType>
struct Keys {
  static constexpr int kBias = kType == KvType::kQ8_0 ? 128 : 8;
  static constexpr int kTiles = 2;
  static constexpr int kRows = 1;
  using Codes = Byte;
  using Coefs = Byte;
  using Sums = Totals;
  template <int kQueries>
  using GroupCoefs = PreparedCoefs<kQueries>;

  static HWY_INLINE void Load(const std::byte* lines, int /*part*/, Codes (&codes)[2]) {
    if constexpr (kType == KvType::kQ8_0) {
      const Byte sign = hn::Set(Bytes(), -128);
      codes[0] = hn::Xor(LoadBytes(lines), sign);
      codes[1] = hn::Xor(LoadBytes(lines + kCacheLineBytes), sign);
    } else {
      SplitNibbles(LoadBytes(lines), codes);
    }
  }
  static HWY_INLINE Sums Zero() { return hn::Zero(Ints()); }
  static HWY_INLINE void Add(Sums& sums, Codes codes, Coefs coefs) {
    sums.raw = _mm512_dpbusd_epi32(sums.raw, codes.raw, coefs.raw);
  }
  static HWY_INLINE Totals Total(Sums sums, int /*row*/) { return sums; }
};

// Coefficients in two bytes, signed for the unsigned codes of q4_0; unsigned for the signed ones of
// q8_0, whose scales are not negative.
template <KvType kType>
struct Values {
  static constexpr int kBias = kType == KvType::kQ8_0 ? 0 : 8;
  static constexpr int kSides = 2;
  using Codes = Byte;
  struct Coefs {
    Byte high;
    Byte low;
  };
  struct Sums {
    Totals high;
    Totals low;
  };

  static HWY_INLINE void Load(const std::byte* lines, int /*part*/, Codes (&codes)[2]) {
    if constexpr (kType == KvType::kQ8_0) {
      codes[0] = LoadBytes(lines);
      codes[1] = LoadBytes(lines + kCacheLineBytes);
    } else {
      SplitNibbles(LoadBytes(lines), codes);
    }
  }

  // Packing moves four tokens at a time: number i of a tile to lane i of 128 bits, within which the
  // tiles follow each other.
  template <int kQueries>
  class ChunkCoefs {
   public:
    static constexpr int kShift = kType == KvType::kQ8_0 ? 0 : 128;  // so that low bytes carry

    HWY_INLINE void Set(int query, const Totals (&codes)[kChunkVectors]) {
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
    HWY_INLINE Coefs Get(int query, int tile, int quad) const {
      const int first = (quad * kChunkTiles + tile) * 4;
      return {SetFour(bytes_[query][0] + first), SetFour(bytes_[query][1] + first)};
    }

   private:
    alignas(64) int8_t bytes_[kQueries][2][kChunkTokens];
  };

  static HWY_INLINE Sums Zero() { return {hn::Zero(Ints()), hn::Zero(Ints())}; }
  static HWY_INLINE void Add(Sums& sums, Codes codes, const Coefs& coefs) {
    if constexpr (kType == KvType::kQ8_0) {
      sums.high.raw = _mm512_dpbusd_epi32(sums.high.raw, coefs.high.raw, codes.raw);
      sums.low.raw = _mm512_dpbusd_epi32(sums.low.raw, coefs.low.raw, codes.raw);
    } else {
      sums.high.raw = _mm512_dpbusd_epi32(sums.high.raw, codes.raw, coefs.high.raw);
      sums.low.raw = _mm512_dpbusd_epi32(sums.low.raw, codes.raw, coefs.low.raw);
    }
  }
  static HWY_INLINE Totals Total(const Sums& sums) {
    return hn::Add(hn::ShiftLeft<8>(sums.high), sums.low);
  }
};

#elif HWY_ARCH_X86

using Shorts = hn::Repartition<int16_t, Ints>;
using Short = hn::Vec<Shorts>;

HWY_INLINE Short SetFour(const int16_t* from) {
  int64_t four;
  std::memcpy(&four, from, sizeof(four));
  return hn::BitCast(Shorts(), hn::Set(hn::Repartition<int64_t, Ints>(), four));
}

// GCC would add up in an order of its own, for which the registers don't suffice.
template <class V>
HWY_INLINE void KeepOrder(V& sum) {
  asm("" : "+v"(sum.raw));
}

// Products of int16 in pairs: two sums to a lane, and half of the lanes to a vector.
template <KvType kType>
struct WideProducts {
  struct Codes {
    Short half[2];
  };
  using Coefs = Short;
  struct Sums {
    Totals half[2];
  };

  static HWY_INLINE void Load(const std::byte* lines, int part, Codes (&codes)[2]) {
    const Shorts shorts;
    Unroll<2>([&](auto half) BITFETCH_LAMBDA {
      const int offset = part * kLanes * 4 + half * kLanes * 2;
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
    });
  }
  static HWY_INLINE Sums Zero() { return {{hn::Zero(Ints()), hn::Zero(Ints())}}; }
  static HWY_INLINE void Add(Sums& sums, const Codes& codes, Coefs coefs) {
    Unroll<2>([&](auto half) BITFETCH_LAMBDA {
      Totals unused = sums.half[half];
      sums.half[half] =
          hn::ReorderWidenMulAccumulate(Ints(), codes.half[half], coefs, sums.half[half], unused);
      KeepOrder(sums.half[half]);
    });
  }
  static HWY_INLINE Totals Total(const Sums& sums, int /*row*/ = 0) {
#if HWY_TARGET == HWY_AVX2
    const __m256i lanes = _mm256_hadd_epi32(sums.half[0].raw, sums.half[1].raw);
    return Totals{_mm256_permute4x64_epi64(lanes, 0xd8)};
#else
    const auto even = hn::ConcatEven(Ints(), sums.half[1], sums.half[0]);
    return hn::Add(even, hn::ConcatOdd(Ints(), sums.half[1], sums.half[0]));
#endif
  }
};

template <KvType kType>
struct Keys : WideProducts<kType> {
  static constexpr int kBias = 0;
  static constexpr int kTiles = 1;
  static constexpr int kRows = 1;

  template <int kQueries>
  class GroupCoefs {
   public:
    HWY_INLINE explicit GroupCoefs(const int8_t* from) {
      const Shorts shorts;
      const hn::Rebind<int8_t, Shorts> bytes;
      for (size_t i = 0; i < sizeof(coefs_) / sizeof(coefs_[0]); i += hn::Lanes(shorts)) {
        hn::Store(hn::PromoteTo(shorts, hn::LoadU(bytes, from + i)), shorts, coefs_ + i);
      }
    }
    HWY_INLINE Short Get(int line, int query) const {
      return SetFour(Opaque(coefs_) + (line * kQueryBlock + query) * 4);
    }

   private:
    alignas(64) int16_t coefs_[8 * kQueryBlock * 4];
  };
};

// Products of unsigned and signed bytes, of which int16 holds those of 32 dims: 4 bits, 16 * 15 *
// 127 at most.
template <>
struct Keys<KvType::kQ4_0> {
  static constexpr int kBias = 8;
  static constexpr int kTiles = 2;
  static constexpr int kRows = 1;
  using Codes = Byte;
  using Coefs = Byte;
  using Sums = Short;
  template <int kQueries>
  using GroupCoefs = PreparedCoefs<kQueries>;

  static HWY_INLINE void Load(const std::byte* lines, int part, Codes (&codes)[2]) {
    SplitNibbles(LoadBytes(lines + part * kLanes * 4), codes);
  }
  static HWY_INLINE Sums Zero() { return hn::Zero(Shorts()); }
  static HWY_INLINE void Add(Sums& sums, Codes codes, Coefs coefs) {
#if HWY_TARGET == HWY_AVX2
    sums = hn::Add(sums, Short{_mm256_maddubs_epi16(codes.raw, coefs.raw)});
#else
    sums = hn::Add(sums, Short{_mm512_maddubs_epi16(codes.raw, coefs.raw)});
#endif
    KeepOrder(sums);
  }
  static HWY_INLINE Totals Total(Sums sums, int /*row*/) {
    Totals unused = hn::Zero(Ints());
    return hn::ReorderWidenMulAccumulate(Ints(), sums, hn::Set(Shorts(), 1), unused, unused);
  }
};

template <KvType kType>
struct Values : WideProducts<kType> {
  static constexpr int kBias = kType == KvType::kQ8_0 ? 0 : 8;
  static constexpr int kSides = 1;

  // Packing two vectors moves four tokens at a time: number i of both to lane i of 128 bits.
  template <int kQueries>
  class ChunkCoefs {
   public:
    static constexpr int kShift = 0;

    HWY_INLINE void Set(int query, const Totals (&codes)[kChunkVectors]) {
      Unroll<kChunkVectors / 2>([&](auto i) BITFETCH_LAMBDA {
        hn::Store(hn::ReorderDemote2To(Shorts(), codes[2 * i], codes[2 * i + 1]), Shorts(),
                  coefs_[query] + i * 2 * kLanes);
      });
    }
    HWY_INLINE Short Get(int query, int tile, int quad) const {
      constexpr int kQuads = kLanes / 4;
      const int vector = tile * kVectors + quad / kQuads;
      const int place = vector / 2 * 2 * kQuads + quad % kQuads * 2 + vector % 2;
      return SetFour(Opaque(coefs_[query]) + place * 4);
    }

   private:
    alignas(64) int16_t coefs_[kQueries][kChunkTokens];
  };
};

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

// Sixteen coefficients within +-kMostWeightCode as their high and their low bytes, all signed.
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

// Products of 2 x 8 and 8 x 2 bytes: two lines interleaved are vectors of two tokens (V: dims)
// times eight dims (tokens).
template <KvType kType>
struct MatrixProducts {
  using Codes = int8x16_t;  // [2][8]
  template <int kHalf>
  struct Coefs {
    int8x16_t rows;  // [2][8], times vector kHalf of two lines
  };
  struct Sums {
    int32x4_t half[2];  // [2 tokens (dims)][2 rows]
  };

  static HWY_INLINE int8x16_t Zip1(int8x16_t a, int8x16_t b) {
    return vreinterpretq_s8_s32(vzip1q_s32(vreinterpretq_s32_s8(a), vreinterpretq_s32_s8(b)));
  }
  static HWY_INLINE int8x16_t Zip2(int8x16_t a, int8x16_t b) {
    return vreinterpretq_s8_s32(vzip2q_s32(vreinterpretq_s32_s8(a), vreinterpretq_s32_s8(b)));
  }

  static HWY_INLINE void Load(const std::byte* lines, int part, Codes (&codes)[2]) {
    int8x16_t pair[2];
    LoadPair<kType>(lines, part, pair);
    codes[0] = Zip1(pair[0], pair[1]);
    codes[1] = Zip2(pair[0], pair[1]);
  }
  static HWY_INLINE Sums Zero() { return {{vdupq_n_s32(0), vdupq_n_s32(0)}}; }
  template <int kHalf>
  static HWY_INLINE void Add(Sums& sums, Codes codes, Coefs<kHalf> coefs) {
    sums.half[kHalf] = vmmlaq_s32(sums.half[kHalf], codes, coefs.rows);
  }
  static HWY_INLINE int32x4_t Row(const Sums& sums, int row) {
    return row == 0 ? vuzp1q_s32(sums.half[0], sums.half[1])
                    : vuzp2q_s32(sums.half[0], sums.half[1]);
  }
};

// The rows are queries; after an odd number of them follows whatever lies there.
template <KvType kType>
struct Keys : MatrixProducts<kType> {
  using Base = MatrixProducts<kType>;
  static constexpr int kBias = kUnsignedBy<kType>;
  static constexpr int kTiles = 2;
  static constexpr int kRows = 2;

  template <int kQueries>
  class GroupCoefs {
   public:
    HWY_INLINE explicit GroupCoefs(const int8_t* from) {
      for (int i = 0; i < 8 * kQueryBlock * 4; i += 32) {
        const int8x16_t first = vld1q_s8(from + i);
        const int8x16_t second = vld1q_s8(from + i + 16);
        vst1q_s8(coefs_ + i, Base::Zip1(first, second));
        vst1q_s8(coefs_ + i + 16, Base::Zip2(first, second));
      }
    }
    template <int kLine>
    HWY_INLINE auto Get(Index<kLine>, int rows) const {
      using Coefs = typename Base::template Coefs<kLine % 2>;
      return Coefs{vld1q_s8(coefs_ + kLine / 2 * 32 + rows * 16)};
    }

   private:
    int8_t coefs_[8 * kQueryBlock * 4];  // [pair of lines][pair of rows][2 rows][8 dims]
  };

  static HWY_INLINE Totals Total(const typename Base::Sums& sums, int row) {
    return Totals(Base::Row(sums, row));
  }
};

// The rows are the bytes of the coefficients.
template <KvType kType>
struct Values : MatrixProducts<kType> {
  using Base = MatrixProducts<kType>;
  static constexpr int kBias = kUnsignedBy<kType>;
  static constexpr int kSides = 2;

  template <int kQueries>
  class ChunkCoefs {
   public:
    static constexpr int kShift = kLowShift;

    HWY_INLINE void Set(int query, const Totals (&codes)[kChunkVectors]) {
      for (int tile = 0; tile < kChunkTiles; ++tile) {
        const TwoBytes bytes(codes + tile * kVectors);
        const int64x2_t high = vreinterpretq_s64_s8(bytes.high);
        const int64x2_t low = vreinterpretq_s64_s8(bytes.low);
        vst1q_s8(bytes_[query][tile * 2], vreinterpretq_s8_s64(vzip1q_s64(high, low)));
        vst1q_s8(bytes_[query][tile * 2 + 1], vreinterpretq_s8_s64(vzip2q_s64(high, low)));
      }
    }
    template <int kQuad>
    HWY_INLINE auto Get(int query, int tile, Index<kQuad>) const {
      using Coefs = typename Base::template Coefs<kQuad % 2>;
      return Coefs{vld1q_s8(bytes_[query][tile * 2 + kQuad / 2])};
    }

   private:
    int8_t bytes_[kQueries][kChunkTokens / 8][2 * 8];  // high and low ones of eight tokens
  };

  static HWY_INLINE Totals Total(const typename Base::Sums& sums) {
    return Totals(vaddq_s32(vshlq_n_s32(Base::Row(sums, 0), 8), Base::Row(sums, 1)));
  }
};

#else

#if defined(BITFETCH_DOT_DOTPROD)
// Each of them four of sixteen.
template <int kPlace>
struct Four {
  int8x16_t all;
};
template <int kPlace>
HWY_INLINE Four<kPlace> GetFour(const int8_t* from, Index<kPlace>) {
  return {vld1q_s8(from)};
}
template <int kPlace>
HWY_INLINE int32x4_t AddProducts(int32x4_t sums, int8x16_t codes, Four<kPlace> coefs) {
  return vdotq_laneq_s32(sums, codes, coefs.all, kPlace);
}
constexpr int kAtOnce = 2;
#else
HWY_INLINE int8x16_t GetFour(const int8_t* from, int place) {
  return vreinterpretq_s8_s32(vdupq_n_s32(LoadFour(from + place * 4)));
}
// Products of bytes fit 16 bits, and so do two of them.
HWY_INLINE int32x4_t AddProducts(int32x4_t sums, int8x16_t codes, int8x16_t coefs) {
  const int16x8_t low = vmull_s8(vget_low_s8(codes), vget_low_s8(coefs));
  return vpadalq_s16(sums, vpaddq_s16(low, vmull_high_s8(codes, coefs)));
}
constexpr int kAtOnce = 1;
#endif

template <KvType kType>
struct Keys {
  static constexpr int kBias = kUnsignedBy<kType>;
  static constexpr int kTiles = kAtOnce;
  static constexpr int kRows = 1;
  using Codes = int8x16_t;
  using Sums = int32x4_t;

  static HWY_INLINE void Load(const std::byte* lines, int part, Codes (&codes)[2]) {
    LoadPair<kType>(lines, part, codes);
  }

  template <int kQueries>
  class GroupCoefs {
   public:
    HWY_INLINE explicit GroupCoefs(const int8_t* from) : from_(from) {}
    template <class Query>
    HWY_INLINE auto Get(int line, Query query) const {
      return GetFour(from_ + line * kQueryBlock * 4, query);
    }

   private:
    const int8_t* from_;
  };

  static HWY_INLINE Sums Zero() { return vdupq_n_s32(0); }
  template <class Coefs>
  static HWY_INLINE void Add(Sums& sums, Codes codes, Coefs coefs) {
    sums = AddProducts(sums, codes, coefs);
  }
  static HWY_INLINE Totals Total(Sums sums, int /*row*/) { return Totals(sums); }
};

// Coefficients in two signed bytes.
template <KvType kType>
struct Values {
  static constexpr int kBias = kUnsignedBy<kType>;
  static constexpr int kSides = kAtOnce;
  using Codes = int8x16_t;
  template <class Four>
  struct Coefs {
    Four high;
    Four low;
  };
  struct Sums {
    int32x4_t high;
    int32x4_t low;
  };

  static HWY_INLINE void Load(const std::byte* lines, int part, Codes (&codes)[2]) {
    LoadPair<kType>(lines, part, codes);
  }

  template <int kQueries>
  class ChunkCoefs {
   public:
    static constexpr int kShift = kLowShift;

    HWY_INLINE void Set(int query, const Totals (&codes)[kChunkVectors]) {
      for (int tile = 0; tile < kChunkTiles; ++tile) {
        const TwoBytes bytes(codes + tile * kVectors);
        vst1q_s8(bytes_[query][0] + tile * kTileTokens, bytes.high);
        vst1q_s8(bytes_[query][1] + tile * kTileTokens, bytes.low);
      }
    }
    template <class Quad>
    HWY_INLINE auto Get(int query, int tile, Quad quad) const {
      const auto high = GetFour(bytes_[query][0] + tile * kTileTokens, quad);
      const auto low = GetFour(bytes_[query][1] + tile * kTileTokens, quad);
      return Coefs<std::remove_const_t<decltype(high)> >{high, low};
    }

   private:
    int8_t bytes_[kQueries][2][kChunkTokens];
  };

  static HWY_INLINE Sums Zero() { return {vdupq_n_s32(0), vdupq_n_s32(0)}; }
  template <class Four>
  static HWY_INLINE void Add(Sums& sums, Codes codes, const Coefs<Four>& coefs) {
    sums.high = AddProducts(sums.high, codes, coefs.high);
    sums.low = AddProducts(sums.low, codes, coefs.low);
  }
  static HWY_INLINE Totals Total(const Sums& sums) {
    return Totals(vaddq_s32(vshlq_n_s32(sums.high, 8), sums.low));
  }
};

#endif

#endif
