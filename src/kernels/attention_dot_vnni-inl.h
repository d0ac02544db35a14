// SPDX-License-Identifier: Apache-2.0
// AVX-512 VNNI: products of unsigned bytes and signed ones, four to a lane. Included by
// attention_dot-inl.h, in its namespace.

// Signed keys are moved up by 128.
template <KvType kType>
struct Keys {
  static constexpr int kBias = kType == KvType::kQ8_0 ? 128 : 8;
  static constexpr int kTiles = 2;
  static constexpr int kRows = 1;
  using Codes = Byte;
  using Coefs = Byte;
  using Sums = Totals;
  template <int kQueries>
  using SpanCoefs = PreparedCoefs<kQueries>;

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
