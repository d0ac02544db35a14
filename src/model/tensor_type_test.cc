// SPDX-License-Identifier: Apache-2.0
#include "model/tensor_type.h"

#include <gtest/gtest.h>

#include <utility>

namespace bitfetch {
namespace {

TEST(TensorType, SizesAreThoseOfTheFormats) {
  struct Expected {
    uint32_t number;
    const char* name;
    int64_t elements, bytes;
  };
  for (const Expected& e :
       {Expected{0, "F32", 3, 12}, Expected{1, "F16", 3, 6}, Expected{30, "BF16", 3, 6},
        Expected{8, "Q8_0", 64, 2 * (2 + 32)}, Expected{12, "Q4_K", 512, 2 * (2 + 2 + 12 + 128)},
        Expected{14, "Q6_K", 512, 2 * (128 + 64 + 16 + 2)},
        Expected{34, "TQ1_0", 512, 2 * (48 + 4 + 2)}, Expected{35, "TQ2_0", 512, 2 * (64 + 2)},
        Expected{36, "I2_S", 2560 * 640, 2560 * 640 / 4 + 32},
        Expected{42, "Q2_0", 128, 2 * (2 + 16)}, Expected{142, "PQ2_0", 256, 2 * (2 + 32)}}) {
    const Result<TensorType> type = TensorTypeOf(e.number);
    ASSERT_TRUE(type) << e.name;
    EXPECT_EQ(TensorTypeName(*type), e.name);
    EXPECT_EQ(TensorBytes(*type, e.elements), e.bytes) << e.name;
    EXPECT_EQ(e.elements % PackElements(*type), 0) << e.name;
    EXPECT_EQ(IsTernary(*type), e.number >= 34 && e.number <= 36) << e.name;
    EXPECT_EQ(IsTernaryByGroup(*type), e.number == 42 || e.number == 142) << e.name;
  }
}

TEST(TensorType, OthersAreRefusedByName) {
  EXPECT_EQ(TensorTypeOf(2).error().message, "is of type 2 (Q4_0), which is not supported");
  EXPECT_EQ(TensorTypeOf(4).error().message, "is of the unknown type 4");
  for (const auto& [number, name] :
       {std::pair(37, "I8_S"), std::pair(38, "TL1"), std::pair(39, "TL2, elsewhere MXFP4"),
        std::pair(134, "IQ1_BN"), std::pair(135, "IQ2_BN"), std::pair(335, "IQ2_BN_R4")}) {
    EXPECT_EQ(
        TensorTypeOf(number).error().message,
        fmt::format("is of type {} ({}), which is not supported: convert the original model to "
                    "I2_S (bitfetch convert) or to TQ2_0 (llama.cpp's converter with --outtype "
                    "tq2_0)",
                    number, name));
  }
  for (const auto& [number, what] : {std::pair(41, "Q1_0, signs in groups of 128"),
                                     std::pair(143, "PTQ1_0, ternary in groups of 128")}) {
    EXPECT_EQ(
        TensorTypeOf(number).error().message,
        fmt::format("is of type {} ({}), which is not supported yet: choose a file of the "
                    "model in I2_S, TQ1_0, TQ2_0 or Q2_0, or convert the original model to one of "
                    "these",
                    number, what));
  }
}

}  // namespace
}  // namespace bitfetch
