// SPDX-License-Identifier: Apache-2.0
// What ternary-inl.h needs of an ISA, from AVX2.

using Codes = __m256i;
constexpr int kParts = 4;  // of a pack, a vector each, in the order of its elements

constexpr int kSumsOfOneToken = 1;
template <int kSums>
HWY_INLINE Codes LoadPart(const uint8_t* pack, int part) {
  const __m256i packed = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(pack));
  return _mm256_and_si256(_mm256_srli_epi16(packed, 6 - 2 * part), _mm256_set1_epi8(3));
}
HWY_INLINE Codes LoadCodes(const uint8_t* codes) {
  return _mm256_load_si256(reinterpret_cast<const __m256i*>(codes));
}
HWY_INLINE void StoreCodes(Codes codes, uint8_t* to) {
  _mm256_store_si256(reinterpret_cast<__m256i*>(to), codes);
}

using Values = __m256i;
HWY_INLINE Values LoadValues(const int8_t* x) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(x));
}

using Sums = __m256i;
HWY_INLINE Sums ZeroSums() { return _mm256_setzero_si256(); }

// A pack adds 4 pairs of products of at most 2 * 128 each to a lane: 16 packs reach -32768 and no
// farther.
constexpr int64_t kChunkPacks = 16;
HWY_INLINE Sums Accumulate(Sums sums, Codes codes, Values x) {
  sums = _mm256_add_epi16(sums, _mm256_maddubs_epi16(codes, x));
  asm("" : "+x"(sums));  // GCC 12 would add neighbours first, and run out of registers
  return sums;
}
HWY_INLINE __m256i Widen(Sums sums) { return _mm256_madd_epi16(sums, _mm256_set1_epi16(1)); }

HWY_INLINE void AddTotals(Sums row0, Sums row1, Sums row2, Sums row3, int32_t* totals) {
  const __m256i rows01 = _mm256_hadd_epi32(Widen(row0), Widen(row1));
  const __m256i rows23 = _mm256_hadd_epi32(Widen(row2), Widen(row3));
  const __m256i halves = _mm256_hadd_epi32(rows01, rows23);
  auto* to = reinterpret_cast<__m128i*>(totals);
  const __m128i sum =
      _mm_add_epi32(_mm256_castsi256_si128(halves), _mm256_extracti128_si256(halves, 1));
  _mm_store_si128(to, _mm_add_epi32(_mm_load_si128(to), sum));
}

// Unpacking costs as much as multiplying with two tokens does, and 16 registers hold 4 x 3 sums.
constexpr int kTileTokensMax = 3;
constexpr bool kUnpackOnce = true;
