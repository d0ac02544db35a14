// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>

#include "kernels/exp2.h"
#include "kernels/scalar.h"

namespace bitfetch::scalar {

float FoldSums(float (&sums)[kPartialSums]) {
  for (int half = kPartialSums / 2; half > 0; half /= 2) {
    for (int i = 0; i < half; ++i) sums[i] += sums[i + half];
  }
  return sums[0];
}

void RmsNorm(const float* x, const float* weight, int64_t n, float epsilon, float* out) {
  float sums[kPartialSums] = {};
  for (int64_t i = 0; i < n; ++i) {
    float& sum = sums[i % kPartialSums];
    sum = std::fma(x[i], x[i], sum);
  }
  const float factor = 1.0f / std::sqrt(FoldSums(sums) / static_cast<float>(n) + epsilon);
  for (int64_t i = 0; i < n; ++i) out[i] = x[i] * factor * weight[i];
}

void Quantize(const float* x, int64_t n, int64_t stride, int8_t* values, int32_t* sum,
              float* scale) {
  float max = 1e-5f;
  for (int64_t i = 0; i < n; ++i) max = std::max(max, std::fabs(x[i]));
  const float factor = 127.0f / max;
  *sum = 0;
  for (int64_t i = 0; i < n; ++i) {
    const float rounded = std::nearbyint(x[i] * factor);
    const float low = rounded > -128.0f ? rounded : -128.0f;  // a NaN too
    values[i] = static_cast<int8_t>(low < 127.0f ? low : 127.0f);
    *sum += values[i];
  }
  std::fill(values + n, values + stride, int8_t{0});
  *scale = max / 127.0f;
}

void Rope(float* x, const float* cosines, const float* sines, int64_t pairs, int64_t step,
          int64_t apart) {
  for (int64_t i = 0; i < pairs; ++i) {
    float& first = x[i * step];
    float& second = x[i * step + apart];
    const float a = first;
    const float b = second;
    first = std::fma(-b, sines[i], a * cosines[i]);
    second = std::fma(b, cosines[i], a * sines[i]);
  }
}

void Relu2Gate(const float* gate, const float* up, int64_t n, float* out) {
  for (int64_t i = 0; i < n; ++i) {
    const float positive = gate[i] > 0.0f ? gate[i] : 0.0f;
    out[i] = positive * positive * up[i];
  }
}

void SiluGate(const float* gate, const float* up, int64_t n, float* out) {
  for (int64_t i = 0; i < n; ++i) {
    out[i] = gate[i] / (1.0f + Exp2(gate[i] * -kLog2E)) * up[i];
  }
}

void GeluGate(const float* gate, const float* up, int64_t n, float* out) {
  for (int64_t i = 0; i < n; ++i) {
    const float x = gate[i];
    out[i] = x / (1.0f + Exp2(x * std::fma(x * x, kGeluCubic, kGeluLinear))) * up[i];
  }
}

void Add(float* x, const float* y, int64_t n) {
  for (int64_t i = 0; i < n; ++i) x[i] += y[i];
}

}  // namespace bitfetch::scalar
