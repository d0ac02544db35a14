// SPDX-License-Identifier: Apache-2.0
#include "convert/hf_groups.h"

#include <gmock/gmock.h>

#include <cmath>

#include "base/float16.h"
#include "base/temp_dir.h"
#include "convert/test_safetensors.h"

namespace bitfetch {
namespace {

using ::testing::HasSubstr;

class HfGroupsTest : public ::testing::Test {
 protected:
  // The weights that are read of the tensor "w", with those of MLX where there are some.
  Result<std::vector<float>> Read(const TestSafetensors& file, int64_t rows, int64_t cols,
                                  int64_t mlx_group = 0) {
    file.Write(dir_.Path("f"));
    const Safetensors opened = *Safetensors::OpenFile(dir_.Path("f"));
    const MlxGroups mlx = {opened.Find("scales"), opened.Find("biases"), mlx_group};
    BITFETCH_ASSIGN_OR_RETURN(HfGroups matrix, HfGroups::Open(*opened.Find("w"), mlx, rows, cols));
    std::vector<uint8_t> codes(static_cast<size_t>(cols));
    std::vector<uint16_t> scales(codes.size() / HfGroups::kColumns);
    std::vector<float> weights;
    for (int64_t row = 0; row < rows; ++row) {
      BITFETCH_RETURN_IF_ERROR(matrix.ReadRow(row, codes, scales));
      for (size_t i = 0; i < codes.size(); ++i) {
        weights.push_back(static_cast<float>(codes[i] - 1) *
                          F16ToF32(scales[i / HfGroups::kColumns]));
      }
    }
    return weights;
  }
  std::string ErrorOf(const std::vector<float>& values, int64_t cols) {
    TestSafetensors file;
    const int64_t rows = static_cast<int64_t>(values.size()) / cols;
    file.AddFloats("w", "F32", {rows, cols}, values);
    const auto read = Read(file, rows, cols);
    return read ? "" : read.error().message;
  }

  TempDir dir_;
};

// Two rows of three groups: scales of all sizes, no weights but zeros, none but ones, some of +2.
std::vector<float> SixGroups() {
  const float scales[] = {0.5f, 0.0234375f, 0, 96, 1, 0x1p-24f};
  std::vector<float> values;
  for (size_t group = 0; group < 6; ++group) {
    for (size_t i = 0; i < 64; ++i) {
      const int code = group == 4 ? 2 : static_cast<int>((i * i + group) % (group == 3 ? 4 : 3));
      values.push_back(static_cast<float>(code - 1) * scales[group]);
    }
  }
  return values;
}

TEST_F(HfGroupsTest, FloatsAreTakenAsTheyAre) {
  for (const char* dtype : {"F32", "F16", "BF16"}) {
    TestSafetensors file;
    file.AddFloats("w", dtype, {2, 192}, SixGroups());
    const auto read = Read(file, 2, 192);
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(*read, SixGroups()) << dtype;
  }
}

// Column c of a row in bits 2 * (c % 16) of word c / 16, times the scale, plus the bias.
TEST_F(HfGroupsTest, MlxWords) {
  std::vector<uint32_t> words(16);
  std::vector<float> expected;
  const float scales[] = {0.25f, -2};  // where it is negative, code 0 is the greatest
  for (uint32_t col = 0; col < 256; ++col) {
    const uint32_t code = (col * col / 3) % 3;
    words[col / 16] |= code << 2 * (col % 16);
    expected.push_back((static_cast<float>(code) - 1) * scales[col / 128]);
  }
  TestSafetensors file;
  file.Add("w", "U32", {1, 16}, {reinterpret_cast<const char*>(words.data()), 64});
  file.AddFloats("scales", "BF16", {1, 2}, {0.25f, -2});
  file.AddFloats("biases", "BF16", {1, 2}, {-0.25f, 2});
  const auto read = Read(file, 1, 256, 128);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(*read, expected);
  EXPECT_THAT(Read(file, 1, 192, 64).error().message, HasSubstr("is of shape [1, 16]: wanted 1 x"));
  EXPECT_THAT(Read(file, 1, 256).error().message, HasSubstr("is of dtype U32"));
}

TEST_F(HfGroupsTest, OtherFloatsAreRefused) {
  const auto with = [](size_t at, float value) {
    std::vector<float> values = SixGroups();
    values[at] = value;
    return values;
  };
  EXPECT_THAT(ErrorOf(with(70, 0.5f), 192),
              HasSubstr("tensor w is not ternary by group: row 0, columns 64 to 127"));
  EXPECT_THAT(ErrorOf(with(192 + 63, -192), 192),
              HasSubstr("is not ternary by group: row 1, columns 0 to 63"));
  for (const float value : {INFINITY, -INFINITY, NAN}) {
    EXPECT_THAT(ErrorOf(with(130, value), 192), HasSubstr("row 0, columns 128 to 191")) << value;
  }
  EXPECT_THAT(ErrorOf(std::vector<float>(64, 1e5f), 64),
              HasSubstr("has a scale of 100000 in row 0, column 0, which no float16 is"));
  EXPECT_THAT(ErrorOf(std::vector<float>(64, 1e-9f), 64), HasSubstr("has a scale of 1e-09"));
  EXPECT_THAT(ErrorOf(std::vector<float>(96, 1), 96),
              HasSubstr("has rows of 96 weights, not a multiple of 64"));
}

}  // namespace
}  // namespace bitfetch
