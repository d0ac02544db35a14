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
HWY_INLINE Sums OfFours(Sums sums) { return sums; }
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

constexpr int64_t kFivesChunk = kChunkPacks * kTernaryPack;
HWY_INLINE __m256i LoadTable(const std::array<uint8_t, 16>& table) {
  return _mm256_broadcastsi128_si256(
      _mm_loadu_si128(reinterpret_cast<const __m128i*>(table.data())));
}
HWY_INLINE void SplitFives(const uint8_t* bytes, Codes (&codes)[5]) {
  const __m256i low = _mm256_set1_epi8(3);
  const __m256i packed = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(bytes));
  const __m256i high = _mm256_and_si256(_mm256_srli_epi16(packed, 4), _mm256_set1_epi8(15));
  const __m256i next = _mm256_shuffle_epi8(LoadTable(kFivesNext), high);
  const __m256i passed = _mm256_cmpeq_epi8(_mm256_max_epu8(packed, next), packed);
  const __m256i first = _mm256_sub_epi8(_mm256_shuffle_epi8(LoadTable(kFivesBelow), high), passed);
  const __m256i rest =
      _mm256_sub_epi8(packed, _mm256_shuffle_epi8(LoadTable(kFivesTimes28), first));
  // A look-up gives zero where the highest bit is set: in one of these two.
  const __m256i lower = _mm256_or_si256(
      _mm256_shuffle_epi8(LoadTable(kFivesLower0), _mm256_add_epi8(rest, _mm256_set1_epi8(0x70))),
      _mm256_shuffle_epi8(LoadTable(kFivesLower16), _mm256_sub_epi8(rest, _mm256_set1_epi8(16))));
  codes[0] = _mm256_shuffle_epi8(LoadTable(kFivesMod3), first);
  codes[1] = _mm256_shuffle_epi8(LoadTable(kFivesOver3), first);
  codes[2] = _mm256_and_si256(lower, low);
  codes[3] = _mm256_and_si256(_mm256_srli_epi16(lower, 2), low);
  codes[4] = _mm256_and_si256(_mm256_srli_epi16(lower, 4), low);
}
template <int kCount>
HWY_INLINE void FromParts(int32_t (&/*totals*/)[5][kCount]) {}
