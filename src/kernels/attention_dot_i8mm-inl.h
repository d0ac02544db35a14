// SPDX-License-Identifier: Apache-2.0
// NEON with i8mm: products of 2 x 8 and 8 x 2 bytes. Included by attention_dot-inl.h, in its
// namespace.

// Two lines interleaved are vectors of two tokens (V: dims) times eight dims (tokens).
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
  class SpanCoefs {
   public:
    HWY_INLINE explicit SpanCoefs(const int8_t* from) {
      for (int i = 0; i < 8 * kQueryPanel * 4; i += 32) {
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
    int8_t coefs_[8 * kQueryPanel * 4];  // [pair of lines][pair of rows][2 rows][8 dims]
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
