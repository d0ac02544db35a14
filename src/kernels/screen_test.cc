// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "base/float16.h"
#include "base/same_bits.h"
#include "base/test_random.h"
#include "kernels/kernels.h"
#include "kernels/scalar.h"

namespace bitfetch {
namespace {

int64_t Padded(int64_t cols) { return (cols + kScreenPack - 1) / kScreenPack * kScreenPack; }

// Rows of a type, as they are stored and as floats.
struct Rows {
  Rows(std::vector<float> from, int64_t cols, DenseType type) : floats(std::move(from)) {
    for (float& value : floats) {
      if (type == DenseType::kF16) value = F16ToF32(halves.emplace_back(F32ToF16(value)));
      if (type == DenseType::kBF16) value = BF16ToF32(halves.emplace_back(F32ToBF16(value)));
    }
    matrix = {halves.empty() ? static_cast<const void*>(floats.data()) : halves.data(), type, cols};
  }
  std::vector<float> floats;
  std::vector<uint16_t> halves;
  DenseMatrix matrix;
};

TEST(ScreenRow, RoundsToTheNearestAndSaysHowFarOffThatIs) {
  for (const Kernels* kernels : SupportedKernels()) {
    SCOPED_TRACE(std::string(IsaName(kernels->isa)));
    std::mt19937 random(3);
    for (const DenseType type : {DenseType::kF32, DenseType::kF16, DenseType::kBF16}) {
      for (const int64_t cols : {1, 15, 16, 63, 64, 100, 2560, 2563}) {
        for (const float magnitude : {1e-3f, 1.0f, 3e3f}) {
          const Rows rows(RandomFloats(2 * cols, random, magnitude), cols, type);
          const float* row = rows.floats.data() + cols;
          const int64_t stride = Padded(cols);
          std::vector<int8_t> got(stride, 99);
          std::vector<int8_t> want(stride, 99);
          ScreenFit got_fit;
          ScreenFit want_fit;
          kernels->screen_row(rows.matrix, 1, stride, got.data(), &got_fit);
          scalar::ScreenRow(rows.matrix, 1, stride, want.data(), &want_fit);
          EXPECT_EQ(got, want) << cols;
          EXPECT_EQ(got_fit.squares, want_fit.squares) << cols;
          EXPECT_EQ(got_fit.error_squares, want_fit.error_squares) << cols;

          float max = 0;
          for (int64_t c = 0; c < cols; ++c) max = std::max(max, std::fabs(row[c]));
          ASSERT_EQ(got_fit.max, max);
          double squares = 0;
          double error_squares = 0;
          for (int64_t c = 0; c < stride; ++c) {
            const double scaled = c < cols ? row[c] * (127.0 / max) : 0.0;
            const double error = scaled - got[c];
            ASSERT_LE(std::fabs(error), 0.5001) << c << " of " << cols;
            squares += double{got[c] * 1.0} * got[c];
            error_squares += error * error;
          }
          EXPECT_NEAR(got_fit.squares, squares, 1e-4 * squares);
          EXPECT_NEAR(got_fit.error_squares, error_squares, 1e-3 * error_squares + 1e-3);
        }
      }
    }
  }
}

TEST(ScreenRow, ZerosTinyHugeAndDamagedRowsAreAlikeEverywhere) {
  const float kInfinity = std::numeric_limits<float>::infinity();
  const float kNan = std::numeric_limits<float>::quiet_NaN();
  const float kMax = std::numeric_limits<float>::max();
  for (const Kernels* kernels : SupportedKernels()) {
    SCOPED_TRACE(std::string(IsaName(kernels->isa)));
    for (const float special : {0.0f, 1e-45f, 1e-36f, kMax, kInfinity, -kInfinity, kNan, -kNan}) {
      for (const float other : {0.0f, 1e-45f, 1.0f}) {
        for (const int64_t place : {0, 15, 17, 34}) {
          std::vector<float> row(35, other);
          row[place] = special;
          const DenseMatrix w{row.data(), DenseType::kF32, 35};
          std::vector<int8_t> got(64);
          std::vector<int8_t> want(64);
          ScreenFit got_fit;
          ScreenFit want_fit;
          kernels->screen_row(w, 0, 64, got.data(), &got_fit);
          scalar::ScreenRow(w, 0, 64, want.data(), &want_fit);
          EXPECT_EQ(got, want) << special << " among " << other;
          EXPECT_EQ(got_fit.max, want_fit.max);
          const bool finite = std::isfinite(got_fit.max) && std::isfinite(got_fit.error_squares);
          EXPECT_EQ(finite, std::isfinite(special)) << special << " among " << other;
          if (!finite) continue;
          EXPECT_EQ(got_fit.squares, want_fit.squares);
          EXPECT_EQ(got_fit.error_squares, want_fit.error_squares);
          if (std::max(special, other) < 1e-30f) {
            EXPECT_EQ(got, std::vector<int8_t>(64));
          }
        }
      }
    }
  }
}

TEST(Screen, IsExactUpToTheLargestSums) {
  for (const Kernels* kernels : SupportedKernels()) {
    SCOPED_TRACE(std::string(IsaName(kernels->isa)));
    std::mt19937 random(5);
    for (const int64_t stride : {64, 128, 640, 2560, 8192}) {
      const int64_t rows = 11;
      std::vector<int8_t> values(rows * stride);
      for (int8_t& value : values) value = static_cast<int8_t>(random() % 255 - 127);
      std::fill_n(values.begin(), stride, int8_t{127});
      std::fill_n(values.begin() + stride, stride, int8_t{-127});
      // The largest whose norm is below 2^31 over that of the rows of 127.
      const int max =
          static_cast<int>(std::min(32767.0, (0x1p31 - 1) / (127.0 * static_cast<double>(stride))));
      for (const int64_t count : {1, 2, 3, 4, 6}) {
        // The first tokens are the extremes, the others random.
        std::vector<int16_t> x(count * stride, static_cast<int16_t>(max));
        std::fill_n(x.begin() + stride, count > 1 ? stride : 0, static_cast<int16_t>(-max));
        for (int64_t i = 2 * stride; i < count * stride; ++i) {
          x[i] = static_cast<int16_t>(static_cast<int>(random() % (2 * max + 1)) - max);
        }
        std::vector<int32_t> got(count * (rows + 1), -1);
        const auto screen = [&](int64_t begin, int64_t end) {
          std::vector<ScreenToken> tokens;
          for (int64_t t = 0; t < count; ++t) {
            tokens.push_back({x.data() + t * stride, got.data() + t * (rows + 1) + begin});
          }
          kernels->screen({values.data(), stride}, begin, end, tokens.data(), count);
        };
        screen(1, 4);
        screen(4, rows);
        screen(0, 1);
        for (int64_t t = 0; t < count; ++t) {
          for (int64_t r = 0; r < rows; ++r) {
            int64_t sum = 0;
            for (int64_t c = 0; c < stride; ++c) {
              sum += int64_t{values[r * stride + c]} * x[t * stride + c];
            }
            ASSERT_EQ(got[t * (rows + 1) + r], sum)
                << "row " << r << " of " << stride << ", token " << t << " of " << count;
          }
          EXPECT_EQ(got[t * (rows + 1) + rows], -1);
        }
      }
    }
  }
}

}  // namespace
}  // namespace bitfetch
