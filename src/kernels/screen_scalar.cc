// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <span>

#include "kernels/scalar.h"

namespace bitfetch::scalar {

void ScreenRow(const DenseMatrix& w, int64_t row, uint8_t* codes, ScreenFit* fit) {
  const int64_t first = row * w.cols;
  float max = 0;
  for (int64_t c = 0; c < w.cols; ++c) {
    const float size = std::fabs(DenseElement(w, first + c));
    max = size > max ? size : max;
  }
  // A NaN shows in the errors even with a factor of 0.
  const float factor = max >= kMinQuantized ? kScreenRange / max : 0.0f;
  float squares[kScreenLevelCount][kPartialSums] = {};
  for (int64_t c = 0; c < w.cols; ++c) {
    const auto [code, errors] = ScreenElementOf(DenseElement(w, first + c) * factor);
    codes[c] = static_cast<uint8_t>(code);
    for (int level = 0; level < kScreenLevelCount; ++level) {
      float& sum = squares[level][c % kPartialSums];
      sum = std::fma(errors[level], errors[level], sum);
    }
  }
  fit->max = max;
  for (int level = 0; level < kScreenLevelCount; ++level) {
    fit->error_squares[level] = FoldSums(squares[level]);
  }
}

void Screen(const ScreenRows& w, int64_t begin, int64_t end, const ScreenToken* tokens,
            int64_t count) {
  for (const ScreenToken& token : std::span(tokens, count)) {
    for (int64_t r = begin; r < end; ++r) {
      const uint8_t* row = w.codes + r * w.stride;
      int32_t sum = 0;
      for (int64_t i = 0; i < w.stride; ++i) {
        const ScreenColumns* x = token.x + i / kScreenLineBytes * 8 / w.bits;
        for (int bit = 0; bit < 8; bit += w.bits, ++x) {
          const int64_t c = i % kScreenLineBytes;
          sum += (row[i] >> bit & ((1 << w.bits) - 1)) * (256 * x->high[c] + x->low[c]);
        }
      }
      token.out[r - begin] = sum;
    }
  }
}

}  // namespace bitfetch::scalar
