// SPDX-License-Identifier: Apache-2.0
// AVX2 and AVX-512 without VNNI: products of 16 bits in pairs. Included by attention_dot-inl.h, in
// its namespace.

using Shorts = hn::Repartition<int16_t, Ints>;
using Short = hn::Vec<Shorts>;

HWY_INLINE Short SetFour(const int16_t* from) {
  int64_t four;
  std::memcpy(&four, from, sizeof(four));
  return hn::BitCast(Shorts(), hn::Set(hn::Repartition<int64_t, Ints>(), four));
}

HWY_INLINE Short SetTwo(const int16_t* from) {
  int32_t two;
  std::memcpy(&two, from, sizeof(two));
  return hn::BitCast(Shorts(), hn::Set(Ints(), two));
}

// GCC would add up in an order of its own, for which the registers don't suffice.
template <class V>
HWY_INLINE void KeepOrder(V& sum) {
  asm("" : "+v"(sum.raw));
}

// sums += products of int16 in pairs.
HWY_INLINE void AddPairs(Short codes, Short coefs, Totals& sums) {
  Totals unused = sums;
  sums = hn::ReorderWidenMulAccumulate(Ints(), codes, coefs, sums, unused);
  KeepOrder(sums);
}

template <KvType kType>
struct Keys;

// Four signed codes of a lane as two words: the even ones times 256, the odd ones as they are,
// whose coefficients are times 256 instead. Both add up in the same lane, to 256 times the sum.
template <>
struct Keys<KvType::kQ8_0> {
  static constexpr int kBias = 0;
  static constexpr int kTiles = 2;
  static constexpr int kRows = 1;
  struct Codes {
    Short even;
    Short odd;
  };
  using Coefs = Codes;
  using Sums = Totals;

  template <int kQueries>
  class SpanCoefs {
   public:
    HWY_INLINE explicit SpanCoefs(const int8_t* from) {
      const Shorts shorts;
      for (size_t i = 0; i < kHalf; i += hn::Lanes(shorts)) {
        const Short both = hn::BitCast(shorts, hn::LoadU(Bytes(), from + i * 2));
        hn::Store(hn::ShiftRight<8>(hn::ShiftLeft<8>(both)), shorts, coefs_ + i);
        hn::Store(hn::ShiftLeft<8>(hn::ShiftRight<8>(both)), shorts, coefs_ + kHalf + i);
      }
    }
    HWY_INLINE Coefs Get(int line, int query) const {
      const int16_t* coefs = Opaque(coefs_) + (line * kQueryPanel + query) * 2;
      return {SetTwo(coefs), SetTwo(coefs + kHalf)};
    }

   private:
    static constexpr int kHalf = 8 * kQueryPanel * 2;
    alignas(64) int16_t coefs_[2 * kHalf];  // the even ones, then the odd ones
  };

  static HWY_INLINE void Load(const std::byte* lines, int part, Codes (&codes)[2]) {
    Unroll<2>([&](auto line) BITFETCH_LAMBDA {
      const Short both =
          hn::BitCast(Shorts(), LoadBytes(lines + line * kCacheLineBytes + part * kLanes * 4));
      codes[line] = {hn::ShiftLeft<8>(both), hn::ShiftRight<8>(both)};
    });
  }
  static HWY_INLINE Sums Zero() { return hn::Zero(Ints()); }
  static HWY_INLINE void Add(Sums& sums, const Codes& codes, const Coefs& coefs) {
    AddPairs(codes.even, coefs.even, sums);
    AddPairs(codes.odd, coefs.odd, sums);
  }
  static HWY_INLINE Totals Total(Sums sums, int /*row*/) { return hn::ShiftRight<8>(sums); }
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
  using SpanCoefs = PreparedCoefs<kQueries>;

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

// Codes widened to int16, in pairs: two sums to a lane, and half of the lanes to a vector.
template <KvType kType>
struct Values {
  static constexpr int kBias = kType == KvType::kQ8_0 ? 0 : 8;
  static constexpr int kSides = 1;
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
      // Only the first depends on the tile, so that one pointer serves all.
      const int first = tile * kVectors / 2 * 2 * kQuads + tile * kVectors % 2;
      const int place = quad / kQuads + quad % kQuads * 2;
      return SetFour(coefs_[query] + first * 4 + place * 4);
    }

   private:
    alignas(64) int16_t coefs_[kQueries][kChunkTokens];
  };

  static HWY_INLINE Sums Zero() { return {{hn::Zero(Ints()), hn::Zero(Ints())}}; }
  static HWY_INLINE void Add(Sums& sums, const Codes& codes, Coefs coefs) {
    Unroll<2>([&](auto half)
                  BITFETCH_LAMBDA { AddPairs(codes.half[half], coefs, sums.half[half]); });
  }
  static HWY_INLINE Totals Total(const Sums& sums) {
#if HWY_TARGET == HWY_AVX2
    const __m256i lanes = _mm256_hadd_epi32(sums.half[0].raw, sums.half[1].raw);
    return Totals{_mm256_permute4x64_epi64(lanes, 0xd8)};
#else
    const auto even = hn::ConcatEven(Ints(), sums.half[1], sums.half[0]);
    return hn::Add(even, hn::ConcatOdd(Ints(), sums.half[1], sums.half[0]));
#endif
  }
};
