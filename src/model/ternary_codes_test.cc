// SPDX-License-Identifier: Apache-2.0
#include "model/ternary_codes.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "base/float16.h"

namespace bitfetch {
namespace {

constexpr std::array<TensorType, 3> kTernaryTypes = {TensorType::kI2_S, TensorType::kTQ1_0,
                                                     TensorType::kTQ2_0};

std::vector<uint8_t> RandomCodes(int64_t count, uint32_t seed = 1) {
  std::mt19937 random(seed);
  std::vector<uint8_t> codes(static_cast<size_t>(count));
  for (uint8_t& code : codes) code = static_cast<uint8_t>(random() % 3);
  return codes;
}

// A tensor as a file holds it. The bytes belong to the test.
struct Stored {
  std::vector<std::byte> bytes;
  GgufTensor tensor;
};

Stored Store(TensorType type, int64_t rows, int64_t cols, const std::vector<uint8_t>& codes,
             float scale) {
  Stored stored;
  stored.bytes.resize(static_cast<size_t>(TensorBytes(type, rows * cols)));
  if (type == TensorType::kI2_S) {
    PackI2S(codes, stored.bytes.data());
    const auto trailer = I2STrailer(scale);
    std::copy(trailer.begin(), trailer.end(), stored.bytes.end() - kI2STrailerBytes);
  } else {
    const auto pack = type == TensorType::kTQ1_0 ? PackTQ1_0 : PackTQ2_0;
    pack(codes, F32ToF16(scale), stored.bytes.data());
  }
  stored.tensor = {"blk.0.attn_q.weight", type, {cols, rows, 1, 1}, rows * cols, stored.bytes};
  return stored;
}

std::string ErrorOf(const Stored& stored) {
  const auto matrix = ReadTernary(stored.tensor, "m.gguf");
  return matrix ? "" : matrix.error().message;
}

TEST(TernaryCodes, EveryTypeComesBack) {
  for (const TensorType type : kTernaryTypes) {
    for (const int64_t cols : {256, 512, 2560}) {
      const int64_t rows = 7;
      const std::vector<uint8_t> codes = RandomCodes(rows * cols);
      const Stored stored = Store(type, rows, cols, codes, 0.75f);
      const auto matrix = ReadTernary(stored.tensor, "m.gguf");
      ASSERT_TRUE(matrix) << matrix.error().message;
      EXPECT_EQ(matrix->rows, rows);
      EXPECT_EQ(matrix->cols, cols);
      EXPECT_EQ(matrix->row_bytes, cols / 4);
      EXPECT_EQ(matrix->scale, 0.75f);
      EXPECT_EQ(matrix->storage == nullptr, type == TensorType::kI2_S);  // no copy of I2_S
      for (int64_t i = 0; i < rows * cols; ++i) {
        ASSERT_EQ(matrix->Code(i / cols, i % cols), codes[static_cast<size_t>(i)]) << i;
      }
    }
  }
}

// Packs that straddle rows: each row gets its own, padded with zero weights.
TEST(TernaryCodes, RowsOfAnyLengthAreRepacked) {
  struct Shape {
    int64_t rows, cols;
  };
  for (const auto [rows, cols] : {Shape{128, 1}, Shape{64, 100}, Shape{32, 4}, Shape{128, 129},
                                  Shape{4, 1376}, Shape{2, 64}, Shape{384, 127}}) {
    const std::vector<uint8_t> codes = RandomCodes(rows * cols);
    const Stored stored = Store(TensorType::kI2_S, rows, cols, codes, 2.f);
    const auto matrix = ReadTernary(stored.tensor, "m.gguf");
    ASSERT_TRUE(matrix) << matrix.error().message;
    EXPECT_EQ(matrix->row_bytes, (cols + 127) / 128 * 32);
    EXPECT_EQ(matrix->scale, 2.f);
    for (int64_t row = 0; row < rows; ++row) {
      for (int64_t col = 0; col < matrix->row_bytes * 4; ++col) {
        const int expected = col < cols ? codes[static_cast<size_t>(row * cols + col)] : 1;
        ASSERT_EQ(matrix->Code(row, col), expected) << row << " " << col;
      }
    }
  }
}

// Where each element lies, one at a time, by the description of the format.
TEST(TernaryCodes, I2SLayout) {
  for (int j = 0; j < 256; ++j) {
    std::vector<uint8_t> codes(256, 0);
    codes[static_cast<size_t>(j)] = 2;
    std::vector<std::byte> packed(64);
    PackI2S(codes, packed.data());
    const int at = j / 128 * 32 + j % 32, bit = 6 - 2 * (j % 128 / 32);
    for (int i = 0; i < 64; ++i) {
      EXPECT_EQ(std::to_integer<int>(packed[static_cast<size_t>(i)]), i == at ? 2 << bit : 0);
    }
  }
}

TEST(TernaryCodes, TQ2Layout) {
  for (int j = 0; j < 256; ++j) {
    std::vector<uint8_t> codes(256, 0);
    codes[static_cast<size_t>(j)] = 2;
    std::vector<std::byte> packed(66);
    PackTQ2_0(codes, 0x3c01, packed.data());
    const int at = j / 128 * 32 + j % 32, bit = 2 * (j % 128 / 32);
    for (int i = 0; i < 64; ++i) {
      EXPECT_EQ(std::to_integer<int>(packed[static_cast<size_t>(i)]), i == at ? 2 << bit : 0);
    }
    EXPECT_EQ(packed[64], std::byte{0x01});
    EXPECT_EQ(packed[65], std::byte{0x3c});
  }
}

// A byte of TQ1_0 is a fraction of 256 that begins with its digits in base 3: digit n of byte b is
// floor(b / 256 * 3^(n + 1)) mod 3. Element j is digit j / 32 of byte j % 32 up to 160, digit
// (j - 160) / 16 of byte 32 + j % 16 up to 240, and digit (j - 240) / 4 of byte 48 + j % 4.
TEST(TernaryCodes, TQ1Layout) {
  const std::vector<uint8_t> codes = RandomCodes(256);
  std::vector<std::byte> packed(54);
  PackTQ1_0(codes, 0x3c01, packed.data());
  for (int j = 0; j < 256; ++j) {
    int byte = j % 32, digit = j / 32;
    if (j >= 160) byte = 32 + j % 16, digit = (j - 160) / 16;
    if (j >= 240) byte = 48 + j % 4, digit = (j - 240) / 4;
    const int value = std::to_integer<int>(packed[static_cast<size_t>(byte)]);
    const double fraction = value / 256.0 * std::pow(3, digit + 1);
    EXPECT_EQ(static_cast<int>(fraction) % 3, codes[static_cast<size_t>(j)]) << j;
  }
  EXPECT_EQ(packed[52], std::byte{0x01});
  EXPECT_EQ(packed[53], std::byte{0x3c});
}

TEST(TernaryCodes, Code3IsFoundWhereverItIs) {
  for (const int64_t cols : {256, 96}) {
    const int64_t rows = 4;
    const std::vector<uint8_t> codes = RandomCodes(rows * cols);
    for (int64_t at = 0; at < rows * cols; at += 37) {
      std::vector<uint8_t> bad = codes;
      bad[static_cast<size_t>(at)] = 3;
      const std::string expected = fmt::format(
          "m.gguf: tensor blk.0.attn_q.weight is damaged: code 3, which is no weight, in row {}, "
          "column {}",
          at / cols, at % cols);
      EXPECT_EQ(ErrorOf(Store(TensorType::kI2_S, rows, cols, bad, 1.f)), expected);
      if (cols % 256 == 0) {
        EXPECT_EQ(ErrorOf(Store(TensorType::kTQ2_0, rows, cols, bad, 1.f)), expected);
      }
    }
  }
}

TEST(TernaryCodes, ScalesThatAreNone) {
  const std::vector<uint8_t> codes = RandomCodes(256);
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  for (const float scale : {kInfinity, -kInfinity, kNan, -1.f}) {
    EXPECT_EQ(ErrorOf(Store(TensorType::kI2_S, 1, 256, codes, scale)),
              fmt::format("m.gguf: tensor blk.0.attn_q.weight is damaged: its scale is {}", scale));
  }
  for (const TensorType type : {TensorType::kTQ1_0, TensorType::kTQ2_0}) {
    for (const uint16_t scale : {0x7c00, 0xfc00, 0x7e00, 0xbc00}) {
      Stored stored = Store(type, 1, 256, codes, 1.f);
      std::memcpy(stored.bytes.data() + stored.bytes.size() - 2, &scale, 2);
      EXPECT_EQ(ErrorOf(stored),
                fmt::format("m.gguf: tensor blk.0.attn_q.weight is damaged: its scale is {}",
                            F16ToF32(scale)));
    }
  }
}

// All the scales but those of packs without weights must be one.
TEST(TernaryCodes, OneScaleForAllPacks) {
  for (const TensorType type : {TensorType::kTQ1_0, TensorType::kTQ2_0}) {
    const int64_t pack_bytes = PackBytes(type);
    const std::vector<uint8_t> codes = RandomCodes(4 * 512);
    Stored stored = Store(type, 4, 512, codes, 0.5f);
    const auto set_scale = [&](int64_t pack, float scale) {
      const uint16_t half = F32ToF16(scale);
      std::memcpy(&stored.bytes[static_cast<size_t>((pack + 1) * pack_bytes - 2)], &half, 2);
    };
    set_scale(0, 0.f);
    set_scale(5, -0.f);
    const auto matrix = ReadTernary(stored.tensor, "m.gguf");
    ASSERT_TRUE(matrix) << matrix.error().message;
    EXPECT_EQ(matrix->scale, 0.5f);
    for (int64_t i = 0; i < 4 * 512; ++i) {
      const bool zero = i / 256 == 0 || i / 256 == 5;
      ASSERT_EQ(matrix->Code(i / 512, i % 512), zero ? 1 : codes[static_cast<size_t>(i)]);
    }
    set_scale(7, 0.25f);
    EXPECT_EQ(ErrorOf(stored),
              "m.gguf: tensor blk.0.attn_q.weight has different scales (0.5 and 0.25), as "
              "TriLM's do: only one scale for a whole tensor is supported");
    for (int64_t pack = 0; pack < 8; ++pack) set_scale(pack, 0.f);
    EXPECT_EQ(ReadTernary(stored.tensor, "m.gguf")->scale, 0.f);
  }
}

}  // namespace
}  // namespace bitfetch
