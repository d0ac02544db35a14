// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <span>

#include "kernels/scalar.h"

namespace bitfetch::scalar {

void ScreenRow(const DenseMatrix& w, int64_t row, int64_t stride, int8_t* values, ScreenFit* fit) {
  const int64_t first = row * w.cols;
  *fit = {};
  for (int64_t c = 0; c < w.cols; ++c) {
    const float size = std::fabs(DenseElement(w, first + c));
    fit->max = size > fit->max ? size : fit->max;
  }
  // A NaN shows in the errors even with a factor of 0.
  const float factor = fit->max >= kMinQuantized ? 127.0f / fit->max : 0.0f;
  float squares[kPartialSums] = {};
  float errors[kPartialSums] = {};
  for (int64_t c = 0; c < w.cols; ++c) {
    const float scaled = DenseElement(w, first + c) * factor;
    const float rounded = std::nearbyint(scaled);
    const float low = rounded > -127.0f ? rounded : -127.0f;  // a NaN too
    const float q = low < 127.0f ? low : 127.0f;
    const float error = scaled - q;
    values[c] = static_cast<int8_t>(q);
    squares[c % kPartialSums] = std::fma(q, q, squares[c % kPartialSums]);
    errors[c % kPartialSums] = std::fma(error, error, errors[c % kPartialSums]);
  }
  std::fill(values + w.cols, values + stride, int8_t{0});
  fit->squares = FoldSums(squares);
  fit->error_squares = FoldSums(errors);
}

void Screen(const ScreenRows& w, int64_t begin, int64_t end, const ScreenToken* tokens,
            int64_t count) {
  for (const ScreenToken& token : std::span(tokens, count)) {
    for (int64_t r = begin; r < end; ++r) {
      const int8_t* row = w.values + r * w.stride;
      int32_t sum = 0;
      for (int64_t c = 0; c < w.stride; ++c) sum += row[c] * token.x[c];
      token.out[r - begin] = sum;
    }
  }
}

}  // namespace bitfetch::scalar
