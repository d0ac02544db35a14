// SPDX-License-Identifier: Apache-2.0
#include "kernels/kernels.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <numbers>
#include <string>
#include <vector>

#include "base/float16.h"
#include "base/same_bits.h"
#include "base/test_random.h"
#include "kernels/on_every_isa.h"
#include "kernels/scalar.h"

namespace bitfetch {
namespace {

const std::vector<int64_t> kLengths = {1, 15, 16, 17, 64, 100, 128, 2560, 2563};

TEST(Kernels, ScalarIsAlwaysThere) {
  ASSERT_FALSE(SupportedKernels().empty());
  EXPECT_EQ(SupportedKernels()[0]->isa, Isa::kScalar);
}

TEST(RmsNorm, IsTheDefinitionAndTheSameBits) {
  OnEveryIsa([](const Kernels& kernels, std::mt19937& random) {
    for (const int64_t n : kLengths) {
      const auto x = RandomFloats(n, random, 3.0f);
      const auto weight = RandomFloats(n, random);
      std::vector<float> want(n);
      std::vector<float> got(n);
      scalar::RmsNorm(x.data(), weight.data(), n, 1e-5f, want.data());
      kernels.rms_norm(x.data(), weight.data(), n, 1e-5f, got.data());
      EXPECT_TRUE(SameBits(got, want)) << n;
      double squares = 0;
      for (const float value : x) squares += double{value} * value;
      const double factor = 1 / std::sqrt(squares / static_cast<double>(n) + 1e-5);
      for (int64_t i = 0; i < n; ++i) ASSERT_NEAR(got[i], x[i] * factor * weight[i], 1e-5);
    }
  });
}

TEST(Quantize, IsTheDefinitionAndTheSameBits) {
  OnEveryIsa([](const Kernels& kernels, std::mt19937& random) {
    for (const int64_t n : kLengths) {
      for (const float magnitude : {0.0f, 1e-9f, 1.0f, 1e30f}) {
        auto x = RandomFloats(n, random, magnitude);
        x[n / 2] = magnitude * 0.5f;  // ties: multiples of a half after scaling
        const int64_t stride = (n + 127) / 128 * 128;
        std::vector<int8_t> got(stride, 99);
        int32_t sum = -1;
        float scale = -1;
        kernels.quantize(x.data(), n, stride, got.data(), &sum, &scale);

        float max = 1e-5f;
        for (const float value : x) max = std::max(max, std::fabs(value));
        int32_t want_sum = 0;
        for (int64_t i = 0; i < stride; ++i) {
          const double exact = i < n ? static_cast<double>(x[i] * (127.0f / max)) : 0.0;
          const auto want = static_cast<int>(std::nearbyint(exact));
          ASSERT_EQ(got[i], want) << i << " of " << n;
          want_sum += want;
        }
        EXPECT_EQ(sum, want_sum);
        EXPECT_EQ(scale, max / 127.0f);
      }
    }
  });
}

// Damaged weights may bring such values; they must not bring other answers on other machines.
TEST(Quantize, TreatsWhatIsNotFiniteAlikeEverywhere) {
  const float kInfinity = std::numeric_limits<float>::infinity();
  const float kNan = std::numeric_limits<float>::quiet_NaN();
  OnEveryIsa([&](const Kernels& kernels, std::mt19937& random) {
    for (const float bad : {kInfinity, -kInfinity, kNan, -kNan}) {
      for (const int64_t place : {0, 17, 34}) {
        auto x = RandomFloats(35, random);
        x[place] = bad;
        std::vector<int8_t> got(128);
        std::vector<int8_t> want(128);
        int32_t got_sum = 0;
        int32_t want_sum = 0;
        float got_scale = 0;
        float want_scale = 0;
        kernels.quantize(x.data(), 35, 128, got.data(), &got_sum, &got_scale);
        scalar::Quantize(x.data(), 35, 128, want.data(), &want_sum, &want_scale);
        EXPECT_EQ(got, want);
        EXPECT_EQ(got_sum, want_sum);
        EXPECT_EQ(got_scale, want_scale);
      }
    }
  });
}

TEST(Rope, TurnsPairsAndGivesTheSameBits) {
  OnEveryIsa([](const Kernels& kernels, std::mt19937& random) {
    for (const int64_t pairs : {1, 8, 16, 24, 32, 50, 64}) {
      const auto angles = RandomFloats(pairs, random, 3.0f);
      std::vector<float> cosines;
      std::vector<float> sines;
      for (const float angle : angles) {
        cosines.push_back(std::cos(angle));
        sines.push_back(std::sin(angle));
      }
      for (const bool adjacent : {false, true}) {
        const auto x = RandomFloats(2 * pairs, random);
        const int64_t step = adjacent ? 2 : 1;
        const int64_t apart = adjacent ? 1 : pairs;
        auto want = x;
        auto got = x;
        scalar::Rope(want.data(), cosines.data(), sines.data(), pairs, step, apart);
        kernels.rope(got.data(), cosines.data(), sines.data(), pairs, step, apart);
        EXPECT_TRUE(SameBits(got, want)) << pairs;
        for (int64_t i = 0; i < pairs; ++i) {
          const float a = x[i * step];
          const float b = x[i * step + apart];
          ASSERT_NEAR(got[i * step], a * cosines[i] - b * sines[i], 1e-5);
          ASSERT_NEAR(got[i * step + apart], a * sines[i] + b * cosines[i], 1e-5);
        }
      }
    }
  });
}

TEST(Gates, AreTheDefinitionsAndTheSameBits) {
  OnEveryIsa([](const Kernels& kernels, std::mt19937& random) {
    for (const int64_t n : kLengths) {
      auto gate = RandomFloats(n, random, 5.0f);
      gate[0] = -200.0f;
      const auto up = RandomFloats(n, random);
      std::vector<float> want(n);
      std::vector<float> got(n);
      scalar::Relu2Gate(gate.data(), up.data(), n, want.data());
      kernels.relu2_gate(gate.data(), up.data(), n, got.data());
      EXPECT_TRUE(SameBits(got, want)) << n;
      for (int64_t i = 0; i < n; ++i) {
        const double positive = std::max(gate[i], 0.0f);
        ASSERT_NEAR(got[i], positive * positive * up[i], 1e-4);
      }
      scalar::SiluGate(gate.data(), up.data(), n, want.data());
      auto in_place = gate;
      kernels.silu_gate(in_place.data(), up.data(), n, in_place.data());
      EXPECT_TRUE(SameBits(in_place, want)) << n;
      for (int64_t i = 0; i < n; ++i) {
        ASSERT_NEAR(want[i], gate[i] / (1 + std::exp(-double{gate[i]})) * up[i], 1e-5);
      }
      scalar::GeluGate(gate.data(), up.data(), n, want.data());
      in_place = gate;
      kernels.gelu_gate(in_place.data(), up.data(), n, in_place.data());
      EXPECT_TRUE(SameBits(in_place, want)) << n;
      for (int64_t i = 0; i < n; ++i) {
        const double x = gate[i];
        const double tanh = std::tanh(std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x));
        ASSERT_NEAR(want[i], 0.5 * x * (1 + tanh) * up[i], 1e-5);
      }
    }
  });
}

TEST(Add, Adds) {
  OnEveryIsa([](const Kernels& kernels, std::mt19937& random) {
    for (const int64_t n : kLengths) {
      const auto x = RandomFloats(n, random);
      const auto y = RandomFloats(n, random);
      auto got = x;
      kernels.add(got.data(), y.data(), n);
      for (int64_t i = 0; i < n; ++i) ASSERT_EQ(got[i], x[i] + y[i]);
    }
  });
}

// Packs codes by the rules of kernels.h and ternary_fives.h, written down once more.
std::vector<uint8_t> PackRows(const std::vector<int>& codes, int64_t rows, int64_t cols,
                              TernaryPacking packing) {
  const int64_t padded = (cols + 127) / 128 * 128;
  const bool fives = packing == TernaryPacking::kFives;
  std::vector<uint8_t> bytes(fives ? (rows + 4) / 5 * padded : rows * padded / 4);
  for (int64_t r = 0; r < (fives ? (rows + 4) / 5 * 5 : rows); ++r) {
    for (int64_t c = 0; c < padded; ++c) {
      const int code = r < rows && c < cols ? codes[r * cols + c] : 1;
      if (fives) {
        bytes[r / 5 * padded + c] += code * std::array{28, 84, 1, 3, 9}[r % 5];
      } else {
        bytes[(r * padded + c / 128 * 128) / 4 + c % 32] |= code << (6 - 2 * (c % 128 / 32));
      }
    }
  }
  return bytes;
}

// A ternary matrix and tokens that bring sums to their limits: row 0 is all +1, row 1 all -1, row 2
// takes turns; token 0 is all -128, token 1 all 127, token 2 has them in pairs, as instructions
// that add neighbours meet them.
struct TernaryCase {
  TernaryCase(TernaryPacking packing, int64_t row_count, int64_t cols, int64_t tokens,
              std::mt19937& random)
      : codes(row_count * cols),
        stride((cols + 127) / 128 * 128),
        values(tokens * stride),
        sums(tokens),
        scales(RandomFloats(tokens, random)) {
    for (int64_t r = 0; r < row_count; ++r) {
      for (int64_t c = 0; c < cols; ++c) {
        codes[r * cols + c] = r == 0   ? 2
                              : r == 1 ? 0
                              : r == 2 ? static_cast<int>(c % 2 * 2)
                                       : static_cast<int>(random() % 3);
      }
    }
    bytes = PackRows(codes, row_count, cols, packing);
    const auto padded = static_cast<size_t>(stride);
    rows = {bytes.data(), row_count, cols, packing == TernaryPacking::kFives ? padded : padded / 4,
            0.37f,        packing};
    for (int64_t t = 0; t < tokens; ++t) {
      for (int64_t c = 0; c < cols; ++c) {
        const int value = t == 0   ? -128
                          : t == 1 ? 127
                          : t == 2 ? (c / 2 % 2 == 0 ? -128 : 127)
                                   : static_cast<int>(random() % 256) - 128;
        values[t * stride + c] = static_cast<int8_t>(value);
        sums[t] += value;
      }
    }
    input = {values.data(), sums.data(), scales.data(), tokens, stride};
  }

  std::vector<int> codes;  // [rows][cols]
  int64_t stride;
  std::vector<int8_t> values;
  std::vector<int32_t> sums;
  std::vector<float> scales;
  std::vector<uint8_t> bytes;
  TernaryRows rows;
  QuantizedRows input;
};

template <class Check>
void OnEveryIsaAndPacking(const Check& check) {
  OnEveryIsa([&](const Kernels& kernels, std::mt19937& random) {
    for (const TernaryPacking packing : {TernaryPacking::kFours, TernaryPacking::kFives}) {
      SCOPED_TRACE(packing == TernaryPacking::kFives ? "fives" : "fours");
      check(kernels, packing, random);
    }
  });
}

TEST(TernaryMatmul, IsTheDefinition) {
  OnEveryIsaAndPacking([](const Kernels& kernels, TernaryPacking packing, std::mt19937& random) {
    for (const int64_t cols : {1, 127, 128, 320, 2560}) {
      for (const int64_t tokens : {1, 3, 5}) {
        const int64_t rows = 7;
        const TernaryCase c(packing, rows, cols, tokens, random);
        std::vector<float> got(tokens * rows);
        kernels.ternary_matmul(c.rows, 0, rows, c.input, got.data(), rows);
        for (int64_t t = 0; t < tokens; ++t) {
          for (int64_t r = 0; r < rows; ++r) {
            int32_t sum = 0;
            for (int64_t i = 0; i < cols; ++i)
              sum += (c.codes[r * cols + i] - 1) * c.values[t * c.stride + i];
            ASSERT_EQ(got[t * rows + r], static_cast<float>(sum) * c.scales[t] * 0.37f)
                << "row " << r << " token " << t << " cols " << cols;
          }
        }
      }
    }
  });
}

// Both halves of `rows` rows, split at `split`, and nothing beside them.
void ExpectSameBitsAsScalar(const Kernels& kernels, const TernaryCase& c, int64_t split) {
  const int64_t rows = c.rows.rows;
  const int64_t stride = rows + 2;
  const int64_t tokens = c.input.tokens;
  std::vector<float> want(tokens * stride, -1.0f);
  std::vector<float> got(tokens * stride, -1.0f);
  scalar::TernaryMatmul(c.rows, 0, rows, c.input, want.data(), stride);
  kernels.ternary_matmul(c.rows, 0, split, c.input, got.data(), stride);
  kernels.ternary_matmul(c.rows, split, rows, c.input, got.data(), stride);
  EXPECT_TRUE(SameBits(got, want)) << rows << " rows split at " << split << ", " << c.rows.cols
                                   << " cols, " << tokens << " tokens";
}

TEST(TernaryMatmul, GivesTheSameBitsForEveryShapeAndSplit) {
  OnEveryIsaAndPacking([](const Kernels& kernels, TernaryPacking packing, std::mt19937& random) {
    // Widths about the chunks in which narrow sums are widened, and those of real models.
    for (const int64_t cols : {1, 127, 128, 129, 1024, 1152, 2048, 2176, 2560, 4096, 4224, 6912}) {
      for (int64_t tokens = 1; tokens <= 9; ++tokens) {
        ExpectSameBitsAsScalar(kernels, TernaryCase(packing, 9, cols, tokens, random), 4);
      }
    }
    for (int64_t rows = 1; rows <= 9; ++rows) {
      for (const int64_t tokens : {1, 6}) {
        for (int64_t split = 0; split <= rows; ++split) {
          ExpectSameBitsAsScalar(kernels, TernaryCase(packing, rows, 320, tokens, random), split);
        }
      }
    }
    for (const int64_t rows : {79, 80, 81, 163}) {
      for (const int64_t tokens : {1, 2, 3, 8}) {
        ExpectSameBitsAsScalar(kernels, TernaryCase(packing, rows, 256, tokens, random), 78);
      }
    }
    for (const int64_t tokens : {16, 63, 64, 65, 70, 130}) {
      ExpectSameBitsAsScalar(kernels, TernaryCase(packing, 5, 2176, tokens, random), 5);
    }
    // Whole tiles of rows and what is left of them, split within, times whole tiles of tokens and
    // what is left.
    for (const int64_t rows : {31, 32, 33, 81, 165}) {
      for (const int64_t tokens : {17, 31, 50}) {
        for (const int64_t split : {rows / 2, rows - 1}) {
          ExpectSameBitsAsScalar(kernels, TernaryCase(packing, rows, 384, tokens, random), split);
        }
      }
    }
  });
}

TEST(TernaryMatmul, GivesTheSameBitsByEveryPlan) {
  OnEveryIsaAndPacking([](const Kernels& kernels, TernaryPacking packing, std::mt19937& random) {
    for (const int64_t tokens : {1, 2, 3, 4, 17}) {
      TernaryCase c(packing, 83, 640, tokens, random);
      for (const PrefetchPlan& plan : kPlansOfWeights) {
        c.rows.prefetch = plan;
        ExpectSameBitsAsScalar(kernels, c, 41);
      }
    }
  });
}

TEST(TernaryMatmul, HasNoOverflowAtTheMostColumns) {
  OnEveryIsaAndPacking([](const Kernels& kernels, TernaryPacking packing, std::mt19937& random) {
    if (kernels.isa == Isa::kScalar) return;
    for (const int64_t tokens : {1, 6}) {
      ExpectSameBitsAsScalar(kernels, TernaryCase(packing, 2, kMaxTernaryCols, tokens, random), 2);
      // The most that sums of bytes with five rows in them fit in an int32 for, and more.
      for (const int64_t cols : {1 << 16, (1 << 16) + 128}) {
        ExpectSameBitsAsScalar(kernels, TernaryCase(packing, 3, cols, tokens, random), 3);
      }
    }
  });
}

TEST(DenseMatmul, IsCloseToDoubleAndTheSameBits) {
  OnEveryIsa([](const Kernels& kernels, std::mt19937& random) {
    for (const DenseType type : {DenseType::kF32, DenseType::kF16, DenseType::kBF16}) {
      for (const int64_t cols : kLengths) {
        const int64_t rows = 7;
        auto floats = RandomFloats(rows * cols, random);
        std::vector<uint16_t> halves;
        for (float& value : floats) {
          if (type == DenseType::kF16) value = F16ToF32(halves.emplace_back(F32ToF16(value)));
          if (type == DenseType::kBF16) value = BF16ToF32(halves.emplace_back(F32ToBF16(value)));
        }
        const DenseMatrix w{
            halves.empty() ? static_cast<const void*>(floats.data()) : halves.data(), type, cols};
        for (const int64_t count : {1, 2, 3, 4, 9}) {
          const auto x = RandomFloats(count * cols, random);
          std::vector<float> want(count * rows);
          std::vector<float> got(count * rows);
          std::vector<DenseToken> wanting;
          std::vector<DenseToken> getting;
          for (int64_t t = 0; t < count; ++t) {
            wanting.push_back({x.data() + t * cols, want.data() + t * rows});
            getting.push_back({x.data() + t * cols, got.data() + t * rows});
          }
          scalar::DenseMatmul(w, 0, rows, wanting.data(), count);
          kernels.dense_matmul(w, 0, 2, getting.data(), count);
          kernels.dense_matmul(w, 2, rows, getting.data(), count);
          EXPECT_TRUE(SameBits(got, want)) << cols << " columns, " << count << " tokens";
          for (int64_t i = 0; i < count * rows; ++i) {
            const float* row = floats.data() + i % rows * cols;
            const float* token = x.data() + i / rows * cols;
            double sum = 0;
            for (int64_t c = 0; c < cols; ++c) sum += double{row[c]} * token[c];
            ASSERT_NEAR(got[i], sum, 1e-4 * std::sqrt(static_cast<double>(cols)));
          }
        }
      }
    }
  });
}

TEST(ChooseKernels, TakesWhatTheEnvironmentNames) {
  for (const Kernels* kernels : SupportedKernels()) {
    setenv("BITFETCH_ISA", std::string(IsaName(kernels->isa)).c_str(), 1);
    EXPECT_EQ(ChooseKernels().value(), kernels);
  }
  setenv("BITFETCH_ISA", "sse9", 1);
  EXPECT_FALSE(ChooseKernels());
  unsetenv("BITFETCH_ISA");
  EXPECT_EQ(ChooseKernels().value(), SupportedKernels().back());
}

}  // namespace
}  // namespace bitfetch
