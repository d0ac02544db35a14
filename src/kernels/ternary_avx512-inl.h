// SPDX-License-Identifier: Apache-2.0
// What ternary-inl.h needs of an ISA, from AVX-512, with or without VNNI.

using Codes = __m512i;
constexpr int kParts = 2;  // of a pack, a vector each, in the order of its elements

HWY_INLINE __m512i Halves(__m256i low, __m256i high) {
  return _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
}
HWY_INLINE __m512i LoadTwice(const uint8_t* pack) {
  return _mm512_broadcast_i64x4(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(pack)));
}
HWY_INLINE Codes LoadCodes(const uint8_t* codes) { return _mm512_load_si512(codes); }
HWY_INLINE void StoreCodes(Codes codes, uint8_t* to) { _mm512_store_si512(to, codes); }

using Values = __m512i;
HWY_INLINE Values LoadValues(const int8_t* x) { return _mm512_loadu_si512(x); }

using Sums = __m512i;
HWY_INLINE Sums ZeroSums() { return _mm512_setzero_si512(); }

#ifdef BITFETCH_TERNARY_VNNI
// Codes in the lower half stay where they are, at four times their value, and so they do, at
// sixteen times their value, in a part that has a sum of its own: a shift of the sum costs less.
constexpr int kSumsOfOneToken = 2;
template <int kSums>
HWY_INLINE Codes LoadPart(const uint8_t* pack, int part) {
  const __m512i packed = LoadTwice(pack);
  const __m512i mask = Halves(_mm256_set1_epi8(0x0c), _mm256_set1_epi8(0x03));
  if (part == 1) return _mm512_and_si512(packed, mask);
  return kSums == 1 ? _mm512_and_si512(_mm512_srli_epi16(packed, 4), mask)
                    : _mm512_and_si512(packed, _mm512_slli_epi16(mask, 4));
}
HWY_INLINE Sums Join(Sums part0, Sums part1) {
  return _mm512_add_epi32(_mm512_srai_epi32(part0, 4), part1);
}

// A pack adds 4 products of at most 128 * 128 each to a lane: 2^15 packs, which are
// kMaxTernaryCols, reach -2^31 and no farther.
constexpr int64_t kChunkPacks = kMaxTernaryCols / kTernaryPack;
HWY_INLINE Sums Accumulate(Sums sums, Codes codes, Values x) {
  return _mm512_dpbusd_epi32(sums, codes, x);
}
HWY_INLINE __m256i Fold(Sums sums) {
  return _mm256_add_epi32(_mm256_srai_epi32(_mm512_castsi512_si256(sums), 2),
                          _mm512_extracti64x4_epi64(sums, 1));
}
constexpr bool kUnpackOnce = false;
#else
constexpr int kSumsOfOneToken = 1;
template <int kSums>
HWY_INLINE Codes LoadPart(const uint8_t* pack, int part) {
  const __m512i shifts = part == 0 ? Halves(_mm256_set1_epi16(6), _mm256_set1_epi16(4))
                                   : Halves(_mm256_set1_epi16(2), _mm256_set1_epi16(0));
  return _mm512_and_si512(_mm512_srlv_epi16(LoadTwice(pack), shifts), _mm512_set1_epi8(3));
}

// A pack adds 2 pairs of products of at most 2 * 128 each to a lane: 32 packs reach -32768 and no
// farther.
constexpr int64_t kChunkPacks = 32;
HWY_INLINE Sums Accumulate(Sums sums, Codes codes, Values x) {
  return _mm512_add_epi16(sums, _mm512_maddubs_epi16(codes, x));
}
HWY_INLINE __m256i Fold(Sums sums) {
  const __m512i wide = _mm512_madd_epi16(sums, _mm512_set1_epi16(1));
  return _mm256_add_epi32(_mm512_castsi512_si256(wide), _mm512_extracti64x4_epi64(wide, 1));
}
constexpr bool kUnpackOnce = true;
#endif
constexpr int kTileTokensMax = 4;

HWY_INLINE void AddTotals(Sums row0, Sums row1, Sums row2, Sums row3, int32_t* totals) {
  const __m256i rows01 = _mm256_hadd_epi32(Fold(row0), Fold(row1));
  const __m256i rows23 = _mm256_hadd_epi32(Fold(row2), Fold(row3));
  const __m256i halves = _mm256_hadd_epi32(rows01, rows23);
  auto* to = reinterpret_cast<__m128i*>(totals);
  const __m128i sum =
      _mm_add_epi32(_mm256_castsi256_si128(halves), _mm256_extracti128_si256(halves, 1));
  _mm_store_si128(to, _mm_add_epi32(_mm_load_si128(to), sum));
}
