// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_KERNELS_SCALAR_H_
#define BITFETCH_KERNELS_SCALAR_H_

#include <cmath>

#include "kernels/kernels.h"

// The plain kernels: what every other ISA must equal, bit for bit. kernels.h says what each does.
namespace bitfetch::scalar {

void RmsNorm(const float* x, const float* weight, int64_t n, float epsilon, float* out);
void Quantize(const float* x, int64_t n, int64_t stride, int8_t* values, int32_t* sum,
              float* scale);
void Rope(float* x, const float* cosines, const float* sines, int64_t pairs, int64_t step,
          int64_t apart);
void Relu2Gate(const float* gate, const float* up, int64_t n, float* out);
void SiluGate(const float* gate, const float* up, int64_t n, float* out);
void GeluGate(const float* gate, const float* up, int64_t n, float* out);
void Add(float* x, const float* y, int64_t n);

void TernaryMatmul(const TernaryRows& w, int64_t begin, int64_t end, const QuantizedRows& x,
                   float* out, int64_t out_stride);
void QuantizeGroups(const float* x, int64_t n, int8_t* values, float* scales, int32_t* offsets);
void TernaryGroupsMatmul(const TernaryGroups& w, int64_t begin, int64_t end,
                         const QuantizedGroups& x, float* out, int64_t out_stride);
void DenseMatmul(const DenseMatrix& w, int64_t begin, int64_t end, const DenseToken* tokens,
                 int64_t count);

void ScreenRow(const DenseMatrix& w, int64_t row, uint8_t* codes, ScreenFit* fit);
void Screen(const ScreenRows& w, int64_t begin, int64_t end, const ScreenToken* tokens,
            int64_t count);

void Attend(const AttendJob& job);
void Fold(const float* partials, int64_t ranges, int64_t range_stride, int head_dim, float* folded);

// What becomes of one element that Kernels::screen_row has scaled.
struct ScreenElement {
  float code;
  float errors[kScreenLevelCount];
};
inline ScreenElement ScreenElementOf(float scaled) {
  const float shifted = std::floor(scaled) + kScreenRange;
  const float above = shifted > 0.0f ? shifted : 0.0f;  // a NaN too
  ScreenElement element{above < 255.0f ? above : 255.0f, {}};
  for (int level = 0; level < kScreenLevelCount; ++level) {
    const auto unit = static_cast<float>(kScreenLevels[level].unit);
    const float known = std::floor(element.code / unit) * unit;
    element.errors[level] = scaled - (known - kScreenLevels[level].offset);
  }
  return element;
}

// Of an output head, as float.
float DenseElement(const DenseMatrix& w, int64_t index);

// Adds up 16 partial sums: the upper half to the lower, until one is left.
float FoldSums(float (&sums)[kPartialSums]);

}  // namespace bitfetch::scalar

#endif  // BITFETCH_KERNELS_SCALAR_H_
