// SPDX-License-Identifier: Apache-2.0
#include "base/float16.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace bitfetch {
namespace {

// What the bits of a half say, by the definition of the format. Every half is exact in double.
double HalfByDefinition(uint16_t half) {
  const int exponent = (half >> 10) & 31;
  const int fraction = half & 1023;
  const double magnitude =
      exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25);
  return half & 0x8000 ? -magnitude : magnitude;
}

bool IsNan(uint16_t half) { return (half & 0x7fff) > 0x7c00; }

// The nearest finite half to `value`, by search; of two equally near the even one.
uint16_t NearestHalf(double value) {
  const uint16_t sign = std::signbit(value) ? 0x8000 : 0;
  const double magnitude = std::fabs(value);
  int below = 0, above = 0x7bff;  // positive halves are ordered as their bits are
  if (magnitude >= HalfByDefinition(0x7bff)) return sign | 0x7bff;
  while (above - below > 1) {
    const int middle = (below + above) / 2;
    (HalfByDefinition(static_cast<uint16_t>(middle)) <= magnitude ? below : above) = middle;
  }
  const double down = magnitude - HalfByDefinition(static_cast<uint16_t>(below));
  const double up = HalfByDefinition(static_cast<uint16_t>(above)) - magnitude;
  const int nearest = down < up ? below : up < down ? above : below % 2 == 0 ? below : above;
  return static_cast<uint16_t>(sign | nearest);
}

TEST(Float16, EveryHalfWidensExactly) {
  for (int bits = 0; bits < 65536; ++bits) {
    const uint16_t half = static_cast<uint16_t>(bits);
    const float wide = F16ToF32(half);
    if (IsNan(half)) {
      EXPECT_TRUE(std::isnan(wide)) << bits;
    } else if ((half & 0x7fff) == 0x7c00) {
      EXPECT_TRUE(std::isinf(wide)) << bits;
    } else {
      EXPECT_EQ(static_cast<double>(wide), HalfByDefinition(half)) << bits;
    }
    EXPECT_EQ(std::signbit(wide), half >= 0x8000) << bits;
  }
}

TEST(Float16, EveryHalfComesBack) {
  for (int bits = 0; bits < 65536; ++bits) {
    const uint16_t half = static_cast<uint16_t>(bits);
    const uint16_t sign = half & 0x8000;
    const uint16_t expected = IsNan(half)                 ? sign | 0x7e00
                              : (half & 0x7fff) == 0x7c00 ? sign | 0x7bff
                                                          : half;
    EXPECT_EQ(F32ToF16(F16ToF32(half)), expected) << bits;
  }
}

// Midway between two neighbours, and one float to either side of it, for every pair of neighbours.
TEST(Float16, TiesGoToEvenEverywhere) {
  for (int bits = 0; bits < 0x7bff; ++bits) {
    const float low = F16ToF32(static_cast<uint16_t>(bits));
    const float high = F16ToF32(static_cast<uint16_t>(bits + 1));
    const float middle = (low + high) / 2;
    const int even = bits % 2 == 0 ? bits : bits + 1;
    ASSERT_EQ(F32ToF16(middle), even) << bits;
    ASSERT_EQ(F32ToF16(-middle), even | 0x8000) << bits;
    ASSERT_EQ(F32ToF16(std::nextafter(middle, low)), bits) << bits;
    ASSERT_EQ(F32ToF16(std::nextafter(middle, high)), bits + 1) << bits;
  }
}

// Strides that meet every exponent with many fractions; the definition is slow, so not all 2^32.
TEST(Float16, AgreesWithTheDefinitionOnFloatsOfEverySize) {
  for (uint64_t bits = 0; bits < (1ull << 32); bits += 8191) {
    const float value = std::bit_cast<float>(static_cast<uint32_t>(bits));
    const uint16_t sign = std::signbit(value) ? 0x8000 : 0;
    ASSERT_EQ(F32ToF16(value), std::isnan(value) ? (sign | 0x7e00) : NearestHalf(value)) << value;
  }
}

// GCC 12 has the type for C++ on x86 only.
#if defined(__FLT16_MAX__) && (defined(__x86_64__) || defined(__clang__))
TEST(Float16, AgreesWithTheCompilersHalf) {
  for (uint64_t bits = 0; bits < (1ull << 32); bits += 1021) {
    const float value = std::bit_cast<float>(static_cast<uint32_t>(bits));
    if (std::isnan(value)) continue;
    const _Float16 half = static_cast<_Float16>(value);
    uint16_t expected = std::bit_cast<uint16_t>(half);
    if ((expected & 0x7fff) == 0x7c00) expected -= 1;  // ours saturates
    ASSERT_EQ(F32ToF16(value), expected) << value;
  }
}
#endif

TEST(Float16, Saturates) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  for (const float value : {65504.f, 65519.996f, 65520.f, 65536.f, 1e30f,
                            std::numeric_limits<float>::max(), kInfinity}) {
    EXPECT_EQ(F32ToF16(value), 0x7bff) << value;
    EXPECT_EQ(F32ToF16(-value), 0xfbff) << value;
  }
}

TEST(BFloat16, IsTheUpperHalfOfAFloat) {
  for (int bits = 0; bits < 65536; ++bits) {
    const uint16_t brain = static_cast<uint16_t>(bits);
    EXPECT_EQ(std::bit_cast<uint32_t>(BF16ToF32(brain)), static_cast<uint32_t>(bits) << 16);
    const int magnitude = bits & 0x7fff;
    const int expected = magnitude > 0x7f80 ? bits | 0x0040 : magnitude == 0x7f80 ? bits - 1 : bits;
    EXPECT_EQ(F32ToBF16(BF16ToF32(brain)), expected) << bits;
  }
}

TEST(BFloat16, TiesGoToEvenEverywhere) {
  for (uint32_t bits = 0; bits < 0x7f7f; ++bits) {
    for (const uint32_t sign : {0u, 0x8000u}) {
      const uint32_t middle = (sign | bits) << 16 | 0x8000;
      const uint32_t even = bits % 2 == 0 ? bits : bits + 1;
      ASSERT_EQ(F32ToBF16(std::bit_cast<float>(middle)), sign | even) << bits;
      ASSERT_EQ(F32ToBF16(std::bit_cast<float>(middle - 1)), sign | bits) << bits;
      ASSERT_EQ(F32ToBF16(std::bit_cast<float>(middle + 1)), sign | (bits + 1)) << bits;
    }
  }
}

TEST(BFloat16, Saturates) {
  for (const float value : {BF16ToF32(0x7f7f), std::numeric_limits<float>::max(),
                            std::numeric_limits<float>::infinity()}) {
    EXPECT_EQ(F32ToBF16(value), 0x7f7f) << value;
    EXPECT_EQ(F32ToBF16(-value), 0xff7f) << value;
  }
}

TEST(BFloat16, NanWithOnlyLowBitsStaysNan) {
  EXPECT_TRUE(std::isnan(BF16ToF32(F32ToBF16(std::bit_cast<float>(0x7f800001u)))));
  EXPECT_TRUE(std::isnan(BF16ToF32(F32ToBF16(std::bit_cast<float>(0xffffffffu)))));
}

static_assert(F32ToF16(1.0f) == 0x3c00 && F16ToF32(0xc000) == -2.0f);
static_assert(F32ToBF16(1.0f) == 0x3f80 && BF16ToF32(0xc000) == -2.0f);

}  // namespace
}  // namespace bitfetch
