// SPDX-License-Identifier: Apache-2.0
#include "model/dequantize.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "base/float16.h"

namespace bitfetch {
namespace {

// Random bytes in which every float16 scale, at `scale_at` of each pack, is a moderate number.
std::vector<std::byte> RandomPacks(int64_t packs, int64_t pack_bytes,
                                   const std::vector<int64_t>& scale_at) {
  std::mt19937 random(3);
  std::vector<std::byte> data(static_cast<size_t>(packs * pack_bytes));
  for (std::byte& byte : data) byte = static_cast<std::byte>(random());
  for (int64_t pack = 0; pack < packs; ++pack) {
    for (const int64_t at : scale_at) {
      const uint16_t half = F32ToF16(static_cast<float>(random() % 4001) / 1000.f - 2.f);
      std::memcpy(&data[static_cast<size_t>(pack * pack_bytes + at)], &half, sizeof half);
    }
  }
  return data;
}

int Byte(const std::byte* at) { return std::to_integer<int>(*at); }
int Signed(const std::byte* at) { return static_cast<int8_t>(Byte(at)); }
double Half(const std::byte* at) {
  return F16ToF32(static_cast<uint16_t>(Byte(at) | Byte(at + 1) << 8));
}

// Element `i` of a pack, each found on its own from the description of the format, in double:
// products of a float16 and small integers are exact there.
double Q8_0Element(const std::byte* pack, int i) { return Half(pack) * Signed(pack + 2 + i); }

double Q4_KElement(const std::byte* pack, int i) {
  const int part = i / 32;
  // The twelve packed bytes as a string of six-bit fields.
  const std::byte* s = pack + 4;
  const int scale =
      part < 4 ? Byte(s + part) % 64 : Byte(s + 4 + part) % 16 + 16 * (Byte(s + part - 4) / 64);
  const int min =
      part < 4 ? Byte(s + 4 + part) % 64 : Byte(s + 4 + part) / 16 + 16 * (Byte(s + part) / 64);
  const int byte = Byte(pack + 16 + i / 64 * 32 + i % 32);
  const int q = i % 64 < 32 ? byte % 16 : byte / 16;
  return Half(pack) * scale * q - Half(pack + 2) * min;
}

double Q6_KElement(const std::byte* pack, int i) {
  const int low_byte = Byte(pack + i / 128 * 64 + i % 64);
  const int low = i % 128 < 64 ? low_byte % 16 : low_byte / 16;
  const int high_byte = Byte(pack + 128 + i / 128 * 32 + i % 32);
  const int high = high_byte >> (i % 128 / 32 * 2) & 3;
  return Half(pack + 208) * Signed(pack + 192 + i / 16) * (low + 16 * high - 32);
}

void ExpectElements(TensorType type, const std::vector<int64_t>& scale_at,
                    double (*element)(const std::byte*, int)) {
  constexpr int64_t kPacks = 50;
  const int64_t size = PackElements(type), bytes = PackBytes(type);
  const std::vector<std::byte> data = RandomPacks(kPacks, bytes, scale_at);
  std::vector<float> out(static_cast<size_t>(kPacks * size + 1), 12345.f);
  DequantizeRow(type, data.data(), kPacks * size, out.data());
  EXPECT_EQ(out.back(), 12345.f);  // nothing written past the row
  for (int64_t i = 0; i < kPacks * size; ++i) {
    const double expected = element(data.data() + i / size * bytes, static_cast<int>(i % size));
    // Three roundings at most, each to half an ulp of a value of at most the terms' size.
    ASSERT_NEAR(out[static_cast<size_t>(i)], expected, 2.0 * 63 * 63 * 0x1p-23) << i;
  }
}

double Q2_0Element(const std::byte* pack, int i) {
  return Half(pack) * (Byte(pack + 2 + i / 4) / (1 << i % 4 * 2) % 4 - 1);
}

TEST(Dequantize, Q8Packs) { ExpectElements(TensorType::kQ8_0, {0}, Q8_0Element); }
TEST(Dequantize, Q4KPacks) { ExpectElements(TensorType::kQ4_K, {0, 2}, Q4_KElement); }
TEST(Dequantize, Q6KPacks) { ExpectElements(TensorType::kQ6_K, {208}, Q6_KElement); }
TEST(Dequantize, Q2Packs) {
  ExpectElements(TensorType::kQ2_0, {0}, Q2_0Element);
  ExpectElements(TensorType::kPQ2_0, {0}, Q2_0Element);
}

// With powers of two for scales everything is exact, at the ends of each range.
TEST(Dequantize, EndsOfTheRanges) {
  std::vector<float> out(256);
  std::vector<std::byte> q4(144, std::byte{0xff});
  const uint16_t one = F32ToF16(1.f), two = F32ToF16(2.f);
  std::memcpy(q4.data(), &two, 2);
  std::memcpy(q4.data() + 2, &one, 2);
  DequantizeRow(TensorType::kQ4_K, q4.data(), 256, out.data());
  for (const float value : out) EXPECT_EQ(value, 2.f * 63 * 15 - 63);

  std::vector<std::byte> q6(210, std::byte{0});
  std::memset(q6.data() + 192, 0x80, 16);
  std::memcpy(q6.data() + 208, &two, 2);
  DequantizeRow(TensorType::kQ6_K, q6.data(), 256, out.data());
  for (const float value : out) EXPECT_EQ(value, 2.f * -128 * -32);
}

TEST(Dequantize, FloatsAreTheirBits) {
  std::vector<uint16_t> halves(65536);
  for (size_t i = 0; i < halves.size(); ++i) halves[i] = static_cast<uint16_t>(i);
  const std::byte* bytes = reinterpret_cast<const std::byte*>(halves.data());
  std::vector<float> out(halves.size());
  DequantizeRow(TensorType::kF16, bytes, 65536, out.data());
  for (size_t i = 0; i < out.size(); ++i) {
    ASSERT_EQ(std::bit_cast<uint32_t>(out[i]), std::bit_cast<uint32_t>(F16ToF32(halves[i])));
  }
  DequantizeRow(TensorType::kBF16, bytes, 65536, out.data());
  for (size_t i = 0; i < out.size(); ++i) {
    ASSERT_EQ(std::bit_cast<uint32_t>(out[i]), i << 16);
  }
  DequantizeRow(TensorType::kF32, bytes, 32768, out.data());
  EXPECT_EQ(std::memcmp(out.data(), bytes, 32768 * 4), 0);
}

// Rows need no alignment, and n is respected where there are no packs.
TEST(Dequantize, AnyAlignmentAnyLength) {
  const std::vector<std::byte> data = RandomPacks(4, 34, {0});
  for (const TensorType type : {TensorType::kF32, TensorType::kF16, TensorType::kBF16}) {
    for (int64_t n = 0; n < 20; ++n) {
      std::vector<float> aligned(32, -1.f), shifted(32, -1.f);
      std::vector<std::byte> moved(data.size() + 1);
      std::copy(data.begin(), data.end(), moved.begin() + 1);
      DequantizeRow(type, data.data(), n, aligned.data());
      DequantizeRow(type, moved.data() + 1, n, shifted.data());
      EXPECT_EQ(std::memcmp(aligned.data(), shifted.data(), 32 * 4), 0);
      EXPECT_EQ(aligned[static_cast<size_t>(n)], -1.f);
    }
  }
}

}  // namespace
}  // namespace bitfetch
