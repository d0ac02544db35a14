// SPDX-License-Identifier: Apache-2.0
#include "model/ternary_groups.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "base/float16.h"
#include "base/temp_dir.h"
#include "convert/gguf_writer.h"
#include "model/dequantize.h"

namespace bitfetch {
namespace {

// A file of matrices with random codes, +2 among them, and random scales.
class TernaryGroupsTest : public ::testing::Test {
 protected:
  struct Shape {
    TensorType type;
    int64_t rows, cols;
  };
  std::string path() const { return dir_.Path("m.gguf"); }

  void Write(const std::vector<Shape>& shapes) {
    GgufWriter writer;
    for (size_t i = 0; i < shapes.size(); ++i) {
      const std::vector<int64_t> shape = {shapes[i].cols, shapes[i].rows};
      writer.AddTensor(fmt::format("t{}", i), shapes[i].type, shape);
    }
    ASSERT_TRUE(writer.Open(path()));
    for (const auto [type, rows, cols] : shapes) {
      std::vector<uint8_t> codes(static_cast<size_t>(PackElements(type)));
      std::vector<std::byte> bytes(static_cast<size_t>(PackBytes(type)));
      for (int64_t i = 0; i < rows * cols; i += PackElements(type)) {
        for (uint8_t& code : codes) code = static_cast<uint8_t>(random_() % 4);
        PackQ2_0(codes, RandomScale(), bytes.data());
        ASSERT_TRUE(writer.Append(bytes));
      }
    }
    ASSERT_TRUE(writer.Commit());
  }

  uint16_t RandomScale() {
    return bad_scale_ >= 0 && bad_scale_-- == 0
               ? F32ToF16(1) | 0x7c00
               : F32ToF16(static_cast<float>(random_() % 2001) / 1000.f - 1.f);
  }

  Result<PageBuffer> Read(const GgufReader& reader, std::vector<TernaryGroups>* matrices) {
    std::vector<GroupsToRead> to_read;
    matrices->resize(reader.tensors().size());
    for (size_t i = 0; i < matrices->size(); ++i) {
      to_read.push_back({&reader.tensors()[i], &(*matrices)[i]});
    }
    return ReadTernaryGroups(reader, to_read, *pool_, {});
  }

  TempDir dir_;
  std::mt19937 random_{1};
  int bad_scale_ = -1;  // the group whose scale is infinite
  std::unique_ptr<ThreadPool> pool_ = *ThreadPool::Create(3);
};

// Weight (row, col) as kernels.h says where it lies.
float WeightAt(const TernaryGroups& m, int64_t row, int64_t col) {
  const std::byte* group = m.strips + row / 16 * StripBytes(m.cols, m.group) +
                           col / m.group * StripBytes(m.group, m.group);
  const int64_t in_group = col % m.group;
  const std::byte byte = group[in_group / 16 * 64 + row % 16 * 4 + in_group % 4];
  uint16_t scale;
  std::memcpy(&scale, group + m.group * 4 + row % 16 * 2, sizeof scale);
  const int code = std::to_integer<int>(byte >> (in_group % 16 / 4 * 2)) & 3;
  return static_cast<float>(code - 1) * F16ToF32(scale);
}

TEST_F(TernaryGroupsTest, EveryWeightIsWhereKernelsLook) {
  const std::vector<Shape> shapes = {{TensorType::kQ2_0, 16, 64},
                                     {TensorType::kPQ2_0, 17, 256},
                                     {TensorType::kQ2_0, 1, 320},
                                     {TensorType::kQ2_0, 300, 192}};
  Write(shapes);
  for (const bool mmap : {true, false}) {
    const GgufReader reader = *GgufReader::Open(path(), mmap);
    std::vector<TernaryGroups> matrices;
    const auto memory = Read(reader, &matrices);
    ASSERT_TRUE(memory) << memory.error().message;
    for (size_t i = 0; i < shapes.size(); ++i) {
      const TernaryGroups& matrix = matrices[i];
      const GgufTensor& tensor = reader.tensors()[i];
      EXPECT_EQ(matrix.rows, shapes[i].rows);
      EXPECT_EQ(matrix.cols, shapes[i].cols);
      EXPECT_EQ(matrix.group, shapes[i].type == TensorType::kQ2_0 ? 64 : 128);
      EXPECT_EQ(reinterpret_cast<uintptr_t>(matrix.strips) % 64, 0u);
      std::vector<float> want(static_cast<size_t>(matrix.cols));
      for (int64_t row = 0; row < matrix.rows; ++row) {
        DequantizeRow(tensor.type, tensor.Row(row), matrix.cols, want.data());
        for (int64_t col = 0; col < matrix.cols; ++col) {
          ASSERT_EQ(WeightAt(matrix, row, col), want[static_cast<size_t>(col)])
              << "tensor " << i << " row " << row << " column " << col;
        }
      }
      for (int64_t row = matrix.rows; row < (matrix.rows + 15) / 16 * 16; ++row) {
        for (int64_t col = 0; col < matrix.cols; ++col) ASSERT_EQ(WeightAt(matrix, row, col), 0);
      }
    }
  }
}

TEST_F(TernaryGroupsTest, AScaleThatIsNotFiniteIsNamed) {
  for (const int bad : {0, 7, 1234}) {
    bad_scale_ = bad;
    Write({{TensorType::kQ2_0, 500, 192}});
    std::vector<TernaryGroups> matrices;
    const auto memory = Read(*GgufReader::Open(path()), &matrices);
    ASSERT_FALSE(memory);
    EXPECT_EQ(memory.error().message,
              fmt::format("{}: tensor t0 is damaged: the scale of row {}, column {} is not finite",
                          path(), bad / 3, bad % 3 * 64));
  }
}

TEST_F(TernaryGroupsTest, TellsOfItsProgress) {
  Write({{TensorType::kQ2_0, 16, 64}, {TensorType::kQ2_0, 32, 64}});
  const GgufReader reader = *GgufReader::Open(path());
  std::vector<TernaryGroups> matrices(2);
  const std::vector<GroupsToRead> to_read = {{reader.tensors().data(), matrices.data()},
                                             {&reader.tensors()[1], &matrices[1]}};
  std::vector<int64_t> told;
  ASSERT_TRUE(ReadTernaryGroups(reader, to_read, *pool_, [&](int64_t done, int64_t total) {
    told.push_back(done);
    EXPECT_EQ(total, 320 + 576);
  }));
  EXPECT_EQ(told, (std::vector<int64_t>{320, 320 + 576}));
}

TEST(PackGroups, LiesAsTheFormatSays) {
  for (const size_t size : {64, 128}) {
    for (size_t j = 0; j < size; ++j) {
      std::vector<uint8_t> codes(size, 0);
      codes[j] = 3;
      std::vector<std::byte> packed(2 + size / 4);
      PackQ2_0(codes, 0x3c01, packed.data());
      EXPECT_EQ(packed[0], std::byte{0x01});
      EXPECT_EQ(packed[1], std::byte{0x3c});
      for (size_t i = 0; i < size / 4; ++i) {
        EXPECT_EQ(std::to_integer<int>(packed[2 + i]), i == j / 4 ? 3 << j % 4 * 2 : 0);
      }
    }
  }
}

}  // namespace
}  // namespace bitfetch
