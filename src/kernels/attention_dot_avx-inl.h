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
  class SpanCoefs {
   public:
    HWY_INLINE explicit SpanCoefs(const int8_t* from) {
      const Shorts shorts;
      const hn::Rebind<int8_t, Shorts> bytes;
      for (size_t i = 0; i < sizeof(coefs_) / sizeof(coefs_[0]); i += hn::Lanes(shorts)) {
        hn::Store(hn::PromoteTo(shorts, hn::LoadU(bytes, from + i)), shorts, coefs_ + i);
      }
    }
    HWY_INLINE Short Get(int line, int query) const {
      return SetFour(Opaque(coefs_) + (line * kQueryPanel + query) * 4);
    }

   private:
    alignas(64) int16_t coefs_[8 * kQueryPanel * 4];
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
