// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <span>

#include "base/float16.h"
#include "kernels/scalar.h"
#include "kernels/ternary_fives.h"

namespace bitfetch::scalar {
namespace {

int TernaryCode(const TernaryRows& w, int64_t row, int64_t column) {
  if (w.packing == TernaryPacking::kFives) {
    return FiveCode(w.codes[row / 5 * w.row_bytes + column], row % 5);
  }
  const int64_t in_block = column % kTernaryPack;
  const uint8_t byte = w.codes[row * w.row_bytes + column / kTernaryPack * 32 + in_block % 32];
  return (byte >> (6 - 2 * (in_block / 32))) & 3;
}

}  // namespace

void TernaryMatmul(const TernaryRows& w, int64_t begin, int64_t end, const QuantizedRows& x,
                   float* out, int64_t out_stride) {
  for (int64_t r = begin; r < end; ++r) {
    for (int64_t t = 0; t < x.tokens; ++t) {
      int32_t sum = 0;
      for (int64_t c = 0; c < w.cols; ++c)
        sum += (TernaryCode(w, r, c) - 1) * x.values[t * x.stride + c];
      out[t * out_stride + r] = static_cast<float>(sum) * x.scales[t] * w.scale;
    }
  }
}

float DenseElement(const DenseMatrix& w, int64_t index) {
  switch (w.type) {
    case DenseType::kF32:
      return static_cast<const float*>(w.values)[index];
    case DenseType::kF16:
      return F16ToF32(static_cast<const uint16_t*>(w.values)[index]);
    case DenseType::kBF16:
      return BF16ToF32(static_cast<const uint16_t*>(w.values)[index]);
  }
  return 0.0f;
}

void DenseMatmul(const DenseMatrix& w, int64_t begin, int64_t end, const DenseToken* tokens,
                 int64_t count) {
  for (const DenseToken& token : std::span(tokens, count)) {
    for (int64_t r = begin; r < end; ++r) {
      float sums[kPartialSums] = {};
      for (int64_t c = 0; c < w.cols; ++c) {
        float& sum = sums[c % kPartialSums];
        sum = std::fma(DenseElement(w, r * w.cols + c), token.x[c], sum);
      }
      token.out[r] = FoldSums(sums);
    }
  }
}

}  // namespace bitfetch::scalar
