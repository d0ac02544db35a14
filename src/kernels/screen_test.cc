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
#include "kernels/on_every_isa.h"
#include "kernels/scalar.h"

namespace bitfetch {
namespace {

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

TEST(ScreenRow, CutsTheRangeInto256StepsAndSaysHowFarOffThatIs) {
  for (const Kernels* kernels : SupportedKernels()) {
    SCOPED_TRACE(std::string(IsaName(kernels->isa)));
    std::mt19937 random(3);
    for (const DenseType type : {DenseType::kF32, DenseType::kF16, DenseType::kBF16}) {
      for (const int64_t cols : {1, 15, 16, 63, 64, 100, 2560, 2563}) {
        for (const float magnitude : {1e-3f, 1.0f, 3e3f}) {
          const Rows rows(RandomFloats(2 * cols, random, magnitude), cols, type);
          const float* row = rows.floats.data() + cols;
          std::vector<uint8_t> got(cols + 1, 99);
          std::vector<uint8_t> want(cols + 1, 99);
          ScreenFit got_fit;
          ScreenFit want_fit;
          kernels->screen_row(rows.matrix, 1, got.data(), &got_fit);
          scalar::ScreenRow(rows.matrix, 1, want.data(), &want_fit);
          EXPECT_EQ(got, want) << cols;
          EXPECT_EQ(got[cols], 99);
          for (int level = 0; level < kScreenLevelCount; ++level) {
            EXPECT_EQ(got_fit.error_squares[level], want_fit.error_squares[level]) << cols;
          }

          float max = 0;
          for (int64_t c = 0; c < cols; ++c) max = std::max(max, std::fabs(row[c]));
          ASSERT_EQ(got_fit.max, max);
          double squares[kScreenLevelCount] = {};
          for (int64_t c = 0; c < cols; ++c) {
            const double scaled = row[c] * (128.0 / max);
            for (int level = 0; level < kScreenLevelCount; ++level) {
              // The middle of the values whose codes have these bits.
              const int unit = kScreenLevels[level].unit;
              const double known = got[c] / unit * unit + (unit - 1) / 2.0 - 127.5;
              ASSERT_LE(std::fabs(scaled - known), unit / 2.0 + 1e-4) << c << " of " << cols;
              squares[level] += (scaled - known) * (scaled - known);
            }
          }
          for (int level = 0; level < kScreenLevelCount; ++level) {
            EXPECT_NEAR(got_fit.error_squares[level], squares[level], 1e-3 * squares[level]);
          }
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
          std::vector<uint8_t> got(35);
          std::vector<uint8_t> want(35);
          ScreenFit got_fit;
          ScreenFit want_fit;
          kernels->screen_row(w, 0, got.data(), &got_fit);
          scalar::ScreenRow(w, 0, want.data(), &want_fit);
          EXPECT_EQ(got, want) << special << " among " << other;
          EXPECT_EQ(got_fit.max, want_fit.max);
          const bool finite = std::isfinite(got_fit.max) && std::isfinite(got_fit.error_squares[0]);
          EXPECT_EQ(finite, std::isfinite(special)) << special << " among " << other;
          if (!finite) continue;
          for (int level = 0; level < kScreenLevelCount; ++level) {
            EXPECT_EQ(got_fit.error_squares[level], want_fit.error_squares[level]);
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
    for (const int bits : {4, 2}) {
      const int largest_code = (1 << bits) - 1;
      for (const int64_t stride : {64, 128, 640, 1280, 8192}) {
        const int64_t cols = stride * 8 / bits;
        const int64_t rows = 11;
        std::vector<uint8_t> codes(rows * stride);
        for (uint8_t& code : codes) code = static_cast<uint8_t>(random());
        std::fill_n(codes.begin(), stride, uint8_t{0xff});
        const auto code_at = [&](int64_t r, int64_t c) {
          const int64_t line_cols = kScreenLineBytes * 8 / bits;
          const int64_t byte = c / line_cols * kScreenLineBytes + c % kScreenLineBytes;
          const int64_t field = c % line_cols / kScreenLineBytes;
          return codes[r * stride + byte] >> (field * bits) & largest_code;
        };
        // The largest that stays below 2^31 with a row of the largest codes.
        const int max =
            static_cast<int>(std::min<int64_t>(127 * 256, INT32_MAX / (largest_code * cols)));
        for (const int64_t count : {1, 2, 3, 4, 6}) {
          // The first tokens are the extremes, the others random.
          std::vector<int> x(count * cols, max);
          std::fill_n(x.begin() + cols, count > 1 ? cols : 0, -max);
          for (int64_t i = 2 * cols; i < count * cols; ++i) {
            x[i] = static_cast<int>(random() % (2 * max + 1)) - max;
          }
          std::vector<ScreenColumns> columns(x.size() / kScreenLineBytes);
          for (size_t i = 0; i < x.size(); ++i) {
            const int high = (x[i] + 128) >> 8;
            columns[i / kScreenLineBytes].high[i % kScreenLineBytes] = static_cast<int8_t>(high);
            columns[i / kScreenLineBytes].low[i % kScreenLineBytes] =
                static_cast<int8_t>(x[i] - 256 * high);
          }
          std::vector<int32_t> got(count * (rows + 1), -1);
          const auto screen = [&](int64_t begin, int64_t end) {
            std::vector<ScreenToken> tokens;
            for (int64_t t = 0; t < count; ++t) {
              tokens.push_back({columns.data() + t * cols / kScreenLineBytes,
                                got.data() + t * (rows + 1) + begin});
            }
            const PrefetchPlan& plan = kPlansOfWeights[count % std::size(kPlansOfWeights)];
            kernels->screen({codes.data(), bits, stride, plan}, begin, end, tokens.data(), count);
          };
          screen(1, 4);
          screen(4, rows);
          screen(0, 1);
          for (int64_t t = 0; t < count; ++t) {
            for (int64_t r = 0; r < rows; ++r) {
              int64_t sum = 0;
              for (int64_t c = 0; c < cols; ++c) sum += int64_t{code_at(r, c)} * x[t * cols + c];
              ASSERT_EQ(got[t * (rows + 1) + r], sum)
                  << bits << " bits, row " << r << " of " << stride << ", token " << t << " of "
                  << count;
            }
            EXPECT_EQ(got[t * (rows + 1) + rows], -1);
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace bitfetch
