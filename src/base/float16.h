// SPDX-License-Identifier: Apache-2.0
// Conversions between float and the two 16-bit formats, as bits: IEEE 754 binary16 (f16) and
// bfloat16 (bf16, the upper half of a float). Every one is a few integer instructions with selects
// instead of branches, so that a loop over an array vectorises, and gives the same bits on every
// machine, whatever its conversion instructions do.
#ifndef BITFETCH_BASE_FLOAT16_H_
#define BITFETCH_BASE_FLOAT16_H_

#include <bit>
#include <cstdint>

namespace bitfetch {

// `if_true` or `if_false`, both computed. (GCC moves the floating-point part of a `?:` into a
// branch, and then does not vectorise.)
constexpr uint32_t SelectBits(bool condition, uint32_t if_true, uint32_t if_false) {
  const uint32_t mask = 0u - static_cast<uint32_t>(condition);
  return (if_true & mask) | (if_false & ~mask);
}

// Exact, including subnormals, infinities and the payload of a NaN.
constexpr float F16ToF32(uint16_t half) {
  const uint32_t sign = static_cast<uint32_t>(half & 0x8000) << 16;
  const uint32_t magnitude = half & 0x7fff;
  const uint32_t exponent_step = magnitude >= 0x7c00 ? 2u * (127 - 15) << 23 : (127u - 15) << 23;
  const uint32_t normal = (magnitude << 13) + exponent_step;
  const uint32_t subnormal =
      std::bit_cast<uint32_t>(static_cast<float>(static_cast<int32_t>(magnitude)) * 0x1p-24f);
  return std::bit_cast<float>(sign | SelectBits(magnitude < 0x0400, subnormal, normal));
}

// Rounds half to even. What is too large, infinity included, saturates to +-65504; a NaN becomes
// the quiet NaN 0x7e00 with its sign.
constexpr uint16_t F32ToF16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint32_t sign = (bits >> 16) & 0x8000;
  const uint32_t magnitude = bits & 0x7fffffff;
  // Added to 0.5, whose last place is the smallest subnormal half, the value is rounded to a count
  // of those.
  const uint32_t subnormal =
      std::bit_cast<uint32_t>(std::bit_cast<float>(magnitude) + 0.5f) - 0x3f000000;
  const uint32_t rebased = magnitude - ((127u - 15) << 23);
  const uint32_t rounded = (rebased + 0x0fff + ((rebased >> 13) & 1)) >> 13;
  const uint32_t normal = rounded < 0x7bff ? rounded : 0x7bff;
  const uint32_t result = SelectBits(magnitude < 0x38800000, subnormal, normal);
  return static_cast<uint16_t>(sign | SelectBits(magnitude > 0x7f800000, 0x7e00, result));
}

// Exact.
constexpr float BF16ToF32(uint16_t brain) {
  return std::bit_cast<float>(static_cast<uint32_t>(brain) << 16);
}

// Rounds half to even and saturates as F32ToF16 does, to the largest finite value; a NaN stays one,
// made quiet, with its sign and upper payload.
constexpr uint16_t F32ToBF16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint32_t sign = (bits >> 16) & 0x8000;
  const uint32_t magnitude = bits & 0x7fffffff;
  const uint32_t rounded = (magnitude + 0x7fff + ((magnitude >> 16) & 1)) >> 16;
  const uint32_t finite = rounded < 0x7f7f ? rounded : 0x7f7f;
  const uint32_t nan = (magnitude >> 16) | 0x0040;
  return static_cast<uint16_t>(sign | SelectBits(magnitude > 0x7f800000, nan, finite));
}

}  // namespace bitfetch

#endif  // BITFETCH_BASE_FLOAT16_H_
