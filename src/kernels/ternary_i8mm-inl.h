// SPDX-License-Identifier: Apache-2.0
// Unpacked rows for ternary-inl.h, by the instruction that multiplies 2 x 8 with 8 x 2 bytes.

// Codes of a few packs: [steps][pair of rows][half of a step][row of the pair][8].
struct UnpackedRows {
  const uint8_t* codes;
  HWY_INLINE static void Store(const Codes (&rows)[kRows], uint8_t* to) {
    for (int r = 0; r < kRows; r += 2) {
      const int64x2_t first = vreinterpretq_s64_s8(rows[r]);
      const int64x2_t second = vreinterpretq_s64_s8(rows[r + 1]);
      StoreCodes(vreinterpretq_s8_s64(vzip1q_s64(first, second)), to + r * kStep);
      StoreCodes(vreinterpretq_s8_s64(vzip2q_s64(first, second)), to + (r + 1) * kStep);
    }
  }
};

// Too few tokens repeat the last, to make pairs.
template <int kTokens>
HWY_INLINE void AddTile(const UnpackedRows& rows, int64_t steps, const int8_t* x, int64_t stride,
                        int32_t (*totals)[kRows]) {
  constexpr int kPairs = (kTokens + 1) / 2;
  int32x4_t sums[kPairs][kRows / 2];  // [row of the pair][token of the pair]
  for (int p = 0; p < kPairs; ++p) {
    for (int r = 0; r < kRows / 2; ++r) sums[p][r] = vdupq_n_s32(0);
  }
  for (int64_t step = 0; step < steps; ++step) {
    Codes codes[kRows];
    for (int r = 0; r < kRows; ++r) codes[r] = LoadCodes(rows.codes + (step * kRows + r) * kStep);
    for (int p = 0; p < kPairs; ++p) {
      const int8_t* values = x + 2 * p * stride + step * kStep;
      const int64x2_t first = vreinterpretq_s64_s8(LoadValues(values));
      const int64x2_t second =
          vreinterpretq_s64_s8(LoadValues(2 * p + 1 < kTokens ? values + stride : values));
      const int8x16_t low = vreinterpretq_s8_s64(vzip1q_s64(first, second));
      const int8x16_t high = vreinterpretq_s8_s64(vzip2q_s64(first, second));
      for (int r = 0; r < kRows / 2; ++r) {
        sums[p][r] = vmmlaq_s32(vmmlaq_s32(sums[p][r], codes[2 * r], low), codes[2 * r + 1], high);
      }
    }
  }
  for (int t = 0; t < kTokens; ++t) {
    const auto& pair = sums[t / 2];
    const int32x4_t sum = t % 2 == 0 ? vuzp1q_s32(pair[0], pair[1]) : vuzp2q_s32(pair[0], pair[1]);
    vst1q_s32(totals[t], vaddq_s32(vld1q_s32(totals[t]), sum));
  }
}
