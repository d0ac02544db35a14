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
HWY_INLINE Sums Join(const Sums (&parts)[kSumsOfOneToken]) {
  return _mm512_add_epi32(_mm512_srai_epi32(parts[0], 4), parts[1]);
}

// A pack adds 4 products of at most 128 * 128 each to a lane: 2^15 packs, which are
// kMaxTernaryCols, reach -2^31 and no farther.
constexpr int64_t kChunkPacks = kMaxTernaryCols / kTernaryPack;
HWY_INLINE Sums Accumulate(Sums sums, Codes codes, Values x) {
  sums = _mm512_dpbusd_epi32(sums, codes, x);
  asm("" : "+v"(sums));  // GCC 12 would copy sums about, and keep some in memory
  return sums;
}
HWY_INLINE Sums OfFours(Sums sums) { return _mm512_mask_srai_epi32(sums, 0x00ff, sums, 2); }
HWY_INLINE Sums Widen(Sums sums) { return sums; }
constexpr bool kUnpackOnce = false;

// Sums of more columns, of bytes up to 250, would leave an int32.
constexpr int64_t kFivesChunk = int64_t{1} << 16;
// The byte itself, c0, 64 * c1 + byte % 28, c2 + 4 * c3 + 16 * c4, and c2: what the look-ups give
// as they go along, and what the codes follow from. To part all five would take twice the masks.
HWY_INLINE void SplitFives(__m512i bytes, Codes (&parts)[5]) {
  constexpr int kThirdChooses = 0xe4;  // of the first two
  const __m512i low = _mm512_set1_epi8(3);
  parts[0] = bytes;
  asm("" : "+v"(parts[0]));  // GCC 12 would load it again and again
  const __m512i upper = _mm512_permutexvar_epi8(_mm512_srli_epi16(parts[0], 2),
                                                _mm512_loadu_si512(kFivesUpper.data()));
  parts[1] = _mm512_and_si512(upper, low);
  parts[2] = _mm512_ternarylogic_epi32(parts[0], upper, low, kThirdChooses);
  // vpermb minds the lower six bits: where c1 stands does not matter.
  parts[3] = _mm512_permutexvar_epi8(parts[2], LoadTwice(kFivesLower.data()));
  parts[4] = _mm512_and_si512(parts[3], low);
}
HWY_INLINE void SplitFives(const uint8_t* bytes, Codes (&parts)[5]) {
  SplitFives(_mm512_loadu_si512(bytes), parts);
}
// Divisions that leave nothing, by numbers that are odd but for a power of two.
HWY_INLINE int32_t DividedBy3(int32_t x) {
  return static_cast<int32_t>(static_cast<uint32_t>(x) * 0xaaaaaaab);
}
HWY_INLINE int32_t DividedBy5(int32_t x) {
  return static_cast<int32_t>(static_cast<uint32_t>(x) * 0xcccccccd);
}
template <int kCount>
HWY_INLINE void FromParts(int32_t (&totals)[5][kCount]) {
  for (int i = 0; i < kCount; ++i) {
    const int32_t byte = totals[0][i], c0 = totals[1][i], lower = totals[2][i],
                  upto4 = totals[3][i], c2 = totals[4][i];
    const int32_t c1 = DividedBy5((byte - lower - 28 * c0) >> 2);
    const int32_t c34 = DividedBy3(lower - 64 * c1 - c2);  // c3 + 3 * c4
    const int32_t c4 = ((upto4 - c2) >> 2) - c34;
    totals[0][i] = c0;
    totals[1][i] = c1;
    totals[2][i] = c2;
    totals[3][i] = c34 - 3 * c4;
    totals[4][i] = c4;
  }
}
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
HWY_INLINE Sums OfFours(Sums sums) { return sums; }
HWY_INLINE Sums Widen(Sums sums) { return _mm512_madd_epi16(sums, _mm512_set1_epi16(1)); }
constexpr bool kUnpackOnce = true;

constexpr int64_t kFivesChunk = kChunkPacks * kTernaryPack;
HWY_INLINE __m512i LoadTable(const std::array<uint8_t, 16>& table) {
  return _mm512_broadcast_i32x4(_mm_loadu_si128(reinterpret_cast<const __m128i*>(table.data())));
}
HWY_INLINE void SplitFives(const uint8_t* bytes, Codes (&codes)[5]) {
  const __m512i low = _mm512_set1_epi8(3);
  const __m512i packed = _mm512_loadu_si512(bytes);
  const __m512i high = _mm512_and_si512(_mm512_srli_epi16(packed, 4), _mm512_set1_epi8(15));
  const __m512i below = _mm512_shuffle_epi8(LoadTable(kFivesBelow), high);
  const __mmask64 passed =
      _mm512_cmpge_epu8_mask(packed, _mm512_shuffle_epi8(LoadTable(kFivesNext), high));
  const __m512i first = _mm512_mask_add_epi8(below, passed, below, _mm512_set1_epi8(1));
  const __m512i rest =
      _mm512_sub_epi8(packed, _mm512_shuffle_epi8(LoadTable(kFivesTimes28), first));
  const __m512i lower = _mm512_mask_shuffle_epi8(_mm512_shuffle_epi8(LoadTable(kFivesLower0), rest),
                                                 _mm512_cmpgt_epi8_mask(rest, _mm512_set1_epi8(15)),
                                                 LoadTable(kFivesLower16), rest);
  codes[0] = _mm512_shuffle_epi8(LoadTable(kFivesMod3), first);
  codes[1] = _mm512_shuffle_epi8(LoadTable(kFivesOver3), first);
  codes[2] = _mm512_and_si512(lower, low);
  codes[3] = _mm512_and_si512(_mm512_srli_epi16(lower, 2), low);
  codes[4] = _mm512_and_si512(_mm512_srli_epi16(lower, 4), low);
}
template <int kCount>
HWY_INLINE void FromParts(int32_t (&/*totals*/)[5][kCount]) {}
#endif
constexpr int kTileTokensMax = 4;

// In each 128 bits, two sums of a and two of b, in turn.
HWY_INLINE __m512i AddHalves(__m512i a, __m512i b) {
  return _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
}
HWY_INLINE void AddTotals(Sums row0, Sums row1, Sums row2, Sums row3, int32_t* totals) {
  const __m512i rows01 = AddHalves(Widen(row0), Widen(row1));
  const __m512i rows23 = AddHalves(Widen(row2), Widen(row3));
  const __m512i rows = _mm512_add_epi32(_mm512_unpacklo_epi64(rows01, rows23),
                                        _mm512_unpackhi_epi64(rows01, rows23));
  const __m256i halves =
      _mm256_add_epi32(_mm512_castsi512_si256(rows), _mm512_extracti64x4_epi64(rows, 1));
  auto* to = reinterpret_cast<__m128i*>(totals);
  const __m128i sum =
      _mm_add_epi32(_mm256_castsi256_si128(halves), _mm256_extracti128_si256(halves, 1));
  _mm_store_si128(to, _mm_add_epi32(_mm_load_si128(to), sum));
}
