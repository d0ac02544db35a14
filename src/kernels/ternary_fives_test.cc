// SPDX-License-Identifier: Apache-2.0
#include "kernels/ternary_fives.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace bitfetch {
namespace {

TEST(FiveCode, EveryFiveCodesHaveAByte) {
  for (int i = 0; i < 3 * 3 * 3 * 3 * 3; ++i) {
    const int codes[5] = {i % 3, i / 3 % 3, i / 9 % 3, i / 27 % 3, i / 81};
    const int byte = 28 * (codes[0] + 3 * codes[1]) + codes[2] + 3 * codes[3] + 9 * codes[4];
    ASSERT_LT(byte, 256);
    for (int n = 0; n < 5; ++n) EXPECT_EQ(FiveCode(static_cast<uint8_t>(byte), n), codes[n]);
  }
}

TEST(PackFives, KeepsEveryCodeAndHasOnesBehindTheLastRow) {
  std::mt19937 random(1);
  constexpr int64_t kCols = 256;
  for (const int64_t rows : {1, 4, 5, 6, 12}) {
    std::vector<int> codes((rows + 4) / 5 * 5 * kCols, 1);
    std::vector<uint8_t> bytes(rows * kCols / 4);
    for (int64_t i = 0; i < rows * kCols; ++i) {
      codes[i] = static_cast<int>(random() % 3);
      bytes[i / 128 * 32 + i % 32] |= codes[i] << (6 - 2 * (i % 128 / 32));
    }
    const TernaryRows fours{bytes.data(), rows, kCols, kCols / 4, 0.5f};
    std::vector<uint8_t> packed((rows + 4) / 5 * kCols);
    const TernaryRows fives = AsFives(fours, packed.data());
    EXPECT_EQ(fives.bytes(), static_cast<int64_t>(packed.size()));
    for (int64_t five = 0; five < fives.lines(); ++five) {
      PackFives(fours, five, packed.data() + five * kCols);
    }
    for (int64_t row = 0; row < fives.lines() * 5; ++row) {
      for (int64_t col = 0; col < kCols; ++col) {
        ASSERT_EQ(FiveCode(packed[row / 5 * kCols + col], row % 5), codes[row * kCols + col])
            << "row " << row << " of " << rows << ", column " << col;
      }
    }
  }
}

}  // namespace
}  // namespace bitfetch
