// SPDX-License-Identifier: Apache-2.0
#include "kv/quantize.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "base/float16.h"

namespace bitfetch {
namespace {

constexpr uint16_t kF16Nan = 0x7e00;

QuantizedScale ScaleOf(float d) {
  const float inverse = 1.0f / d;
  return {F32ToF16(d), std::isfinite(inverse) ? inverse : 0.0f};
}

using Group = std::array<float, kQuantizedDims>;

// The values within the range of finite floats; with a NaN among them, zeros. Returns whether there
// was one.
bool MakeFinite(const float* values, Group& finite) {
  constexpr float kMax = std::numeric_limits<float>::max();
  const bool has_nan =
      std::any_of(values, values + kQuantizedDims, [](float x) { return std::isnan(x); });
  std::transform(values, values + kQuantizedDims, finite.begin(),
                 [=](float x) { return has_nan ? 0.0f : std::clamp(x, -kMax, kMax); });
  return has_nan;
}

}  // namespace

QuantizedScale Q8Scale(float absmax) { return ScaleOf(absmax / 127); }
QuantizedScale Q4Scale(float extreme) { return ScaleOf(extreme / -8); }

uint16_t QuantizeQ8(const float* values, uint8_t* codes) {
  Group finite;
  const bool has_nan = MakeFinite(values, finite);
  float absmax = 0;
  for (const float x : finite) absmax = std::max(absmax, std::fabs(x));
  const QuantizedScale scale = Q8Scale(absmax);
  for (int i = 0; i < kQuantizedDims; ++i) {
    codes[i] = static_cast<uint8_t>(static_cast<int8_t>(std::round(finite[i] * scale.inverse)));
  }
  return has_nan ? kF16Nan : scale.f16;
}

uint16_t QuantizeQ4(const float* values, uint8_t* codes) {
  Group finite;
  const bool has_nan = MakeFinite(values, finite);
  float extreme = 0;
  for (const float x : finite) extreme = std::fabs(x) > std::fabs(extreme) ? x : extreme;
  const QuantizedScale scale = Q4Scale(extreme);
  for (int i = 0; i < kQuantizedDims; ++i) {
    codes[i] = static_cast<uint8_t>(std::min(15.0f, finite[i] * scale.inverse + 8.5f));
  }
  return has_nan ? kF16Nan : scale.f16;
}

}  // namespace bitfetch
