// SPDX-License-Identifier: Apache-2.0
#include "convert/hf_ternary.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "base/temp_dir.h"
#include "convert/test_safetensors.h"

namespace bitfetch {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct Ternary {
  float scale;
  std::vector<int> weights;  // -1, 0 or 1: [rows][cols]
};

class HfTernaryTest : public ::testing::Test {
 protected:
  // The tensor "w" and, where there is one, its scale, read back.
  Result<Ternary> Read(const TestSafetensors& file, int64_t rows, int64_t cols,
                       const HfTernaryRules& rules = {.round = true, .scale_divides = false}) {
    file.Write(dir_.Path("f"));
    const Safetensors opened = *Safetensors::OpenFile(dir_.Path("f"));
    BITFETCH_ASSIGN_OR_RETURN(
        HfTernary matrix,
        HfTernary::Open(*opened.Find("w"), opened.Find("w_scale"), rows, cols, rules));
    Ternary read{.scale = matrix.scale(), .weights = {}};
    std::vector<uint8_t> codes(static_cast<size_t>(cols));
    for (int64_t row = 0; row < rows; ++row) {
      BITFETCH_RETURN_IF_ERROR(matrix.ReadRow(row, codes));
      for (const uint8_t code : codes) read.weights.push_back(code - 1);
    }
    return read;
  }
  Result<Ternary> ReadFloats(std::string_view dtype, const std::vector<float>& values,
                             const HfTernaryRules& rules = {.round = true,
                                                            .scale_divides = false}) {
    TestSafetensors file;
    const auto size = static_cast<int64_t>(values.size());
    file.AddFloats("w", dtype, {1, size}, values);
    return Read(file, 1, size, rules);
  }

  TempDir dir_;
};

// The example that transformers gives of its packing.
TEST_F(HfTernaryTest, UnpacksAsTransformersDoes) {
  TestSafetensors file;
  file.Add("w", "U8", {2, 2}, std::string("\xa1\x18\x90\x0a", 4));
  file.AddFloats("w_scale", "BF16", {1}, {4});
  const auto read = Read(file, 8, 2);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_THAT(read->weights, ElementsAre(0, -1, -1, 1, -1, 1, -1, 1, 1, 0, 0, -1, 1, -1, 1, -1));
  EXPECT_EQ(read->scale, 4);
  EXPECT_EQ(Read(file, 8, 2, {.round = false, .scale_divides = true})->scale, 0.25f);
}

TEST_F(HfTernaryTest, RoundsHalfToEvenAroundTheMean) {
  // Of magnitudes whose mean is 2.
  const auto read =
      ReadFloats("F32", {1, -1, std::nextafter(1.f, 2.f), -1.5f, 0, 9, -3, -0.5f, 1, 2});
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_FLOAT_EQ(read->scale, 2);
  EXPECT_THAT(read->weights, ElementsAre(0, 0, 1, -1, 0, 1, -1, 0, 0, 1));
}

TEST_F(HfTernaryTest, TheMeanHasALeastValue) {
  const auto read = ReadFloats("F32", {1e-7f, -2e-7f, 6e-6f, 0});
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_FLOAT_EQ(read->scale, 1e-5f);
  EXPECT_THAT(read->weights, ElementsAre(0, 0, 1, 0));
}

TEST_F(HfTernaryTest, ThreeValuesAreTakenAsTheyAre) {
  for (const bool round : {false, true}) {
    for (const char* dtype : {"F32", "F16", "BF16"}) {
      const auto read =
          ReadFloats(dtype, {0.375f, 0, 0, 0, -0.375f}, {.round = round, .scale_divides = true});
      ASSERT_TRUE(read) << read.error().message;
      EXPECT_EQ(read->scale, 0.375f) << "not the mean, " << dtype;
      EXPECT_THAT(read->weights, ElementsAre(1, 0, 0, 0, -1));
    }
  }
  EXPECT_EQ(ReadFloats("F32", {0, 0})->scale, 0);
  EXPECT_THAT(ReadFloats("F32", {0, 0})->weights, ElementsAre(0, 0));
}

TEST_F(HfTernaryTest, ThreeValuesMayHaveAScaleBesideThem) {
  TestSafetensors file;
  file.AddFloats("w", "BF16", {1, 3}, {1, 0, -1});
  file.AddFloats("w_scale", "F32", {}, {8});
  EXPECT_EQ(Read(file, 1, 3)->scale, 8);
  EXPECT_EQ(Read(file, 1, 3, {.round = true, .scale_divides = true})->scale, 0.125f);
}

TEST_F(HfTernaryTest, OtherFloatsNeedTheRule) {
  const auto refused = ReadFloats("F32", {1, 2, 0}, {.round = false, .scale_divides = false});
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message,
              HasSubstr("tensor w is not ternary: it has magnitudes from 1 to 2"));
}

TEST_F(HfTernaryTest, AManyRowedMatrixIsMeasuredWhole) {
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  constexpr int64_t kRows = 37, kCols = 53;
  std::vector<float> values(kRows * kCols);
  double sum = 0;
  for (float& value : values) {
    value = BF16ToF32(F32ToBF16(normal(random)));
    sum += std::abs(static_cast<double>(value));
  }
  TestSafetensors file;
  file.AddFloats("w", "BF16", {kRows, kCols}, values);
  const auto read = Read(file, kRows, kCols);
  ASSERT_TRUE(read) << read.error().message;
  const auto mean = static_cast<float>(sum / (kRows * kCols));
  EXPECT_FLOAT_EQ(read->scale, mean);
  for (size_t i = 0; i < values.size(); ++i) {
    const float rounded = std::nearbyint(values[i] * (1 / mean));
    EXPECT_EQ(read->weights[i], std::clamp(rounded, -1.f, 1.f)) << i;
  }
}

TEST_F(HfTernaryTest, ScalesOutOfRangeAreRefused) {
  EXPECT_THAT(ReadFloats("F32", {1e-44f, 0}).error().message, HasSubstr("is damaged: a scale"));
  EXPECT_THAT(ReadFloats("F32", {3e38f, INFINITY}).error().message, HasSubstr("not finite"));
  TestSafetensors file;
  file.AddFloats("w", "F32", {1, 2}, {3e38f, 0});
  file.AddFloats("w_scale", "F32", {1}, {10});
  EXPECT_THAT(Read(file, 1, 2).error().message, HasSubstr("is damaged: a scale of inf"));
}

}  // namespace
}  // namespace bitfetch
