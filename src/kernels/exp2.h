// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_KERNELS_EXP2_H_
#define BITFETCH_KERNELS_EXP2_H_

#include <array>
#include <bit>
#include <cmath>
#include <cstdint>

namespace bitfetch {

// 2^f for f in [-1/2, 1/2] is 1 + c1 f + .. + c6 f^6; minimax, relative error under 8e-8 in float.
inline constexpr std::array<float, 6> kExp2Coefficients = {0x1.62e430p-1f,  0x1.ebfbdcp-3f,
                                                           0x1.c6aee8p-5f,  0x1.3b2d4cp-7f,
                                                           0x1.5f3e54p-10f, 0x1.41fbbcp-13f};

// Below the first 2^x is taken as 0 (no denormals, no flush mode needed); above the second as 2 to
// the second.
inline constexpr float kExp2Lowest = -125.0f;
inline constexpr float kExp2Highest = 127.0f;

// A float that is far smaller, added to it, becomes a whole number in the low bits of the sum, half
// to even; those above them are gone when the sum's bits are shifted to where an exponent is.
inline constexpr float kExp2Rounder = 0x1.8p23f;

inline constexpr float kLog2E = 0x1.715476p+0f;

// x / 2 * (1 + tanh(u)) with u = sqrt(2 / pi) * (x + 0.044715 x^3), which is GELU, is x / (1 +
// 2^e) with e = x * (these + those * x^2).
inline constexpr float kGeluLinear = -0x1.26aec2p+1f;  // -2 sqrt(2 / pi) log2(e)
inline constexpr float kGeluCubic = kGeluLinear * 0.044715f;

// 2^x: the scalar form of what every kernel does, step by step. A NaN counts as the lowest.
inline float Exp2(float x) {
  const float low = x > kExp2Lowest ? x : kExp2Lowest;
  const float clamped = low < kExp2Highest ? low : kExp2Highest;
  const float whole = std::nearbyint(clamped);
  const float f = clamped - whole;
  float p = kExp2Coefficients[5];
  for (int i = 4; i >= 0; --i) p = std::fma(p, f, kExp2Coefficients[i]);
  p = std::fma(p, f, 1.0f);
  const float power = std::bit_cast<float>((static_cast<int32_t>(whole) + 127) << 23);
  return x > kExp2Lowest ? p * power : 0.0f;
}

}  // namespace bitfetch

#endif  // BITFETCH_KERNELS_EXP2_H_
