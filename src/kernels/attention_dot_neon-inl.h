// SPDX-License-Identifier: Apache-2.0
// NEON, with dotprod and without. Included by attention_dot-inl.h, in its namespace.

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
  class SpanCoefs {
   public:
    HWY_INLINE explicit SpanCoefs(const int8_t* from) : from_(from) {}
    template <class Query>
    HWY_INLINE auto Get(int line, Query query) const {
      return GetFour(from_ + line * kQueryPanel * 4, query);
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
