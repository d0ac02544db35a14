// SPDX-License-Identifier: Apache-2.0
// Products with weights that are ternary by group, and the quantisation that they take.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "base/float16.h"
#include "base/same_bits.h"
#include "base/test_random.h"
#include "kernels/kernels.h"
#include "kernels/on_every_isa.h"
#include "kernels/scalar.h"
#include "kv/quantize.h"

namespace bitfetch {
namespace {

struct Quantized {
  Quantized(const std::vector<float>& x, int64_t token_count,
            decltype(Kernels::quantize_groups) quantize)
      : cols(static_cast<int64_t>(x.size()) / token_count),
        tokens(token_count),
        values(x.size()),
        scales(x.size() / kQuantizedGroup),
        offsets(x.size() / kQuantizedGroup) {
    for (int64_t t = 0; t < tokens; ++t) {
      const int64_t group = t * cols / kQuantizedGroup;
      quantize(&x[t * cols], cols, &values[t * cols], &scales[group], &offsets[group]);
    }
  }
  QuantizedGroups View() const {
    return {values.data(), scales.data(), offsets.data(), tokens, cols};
  }
  bool operator==(const Quantized& other) const {
    return values == other.values && SameBits(scales, other.scales) && offsets == other.offsets;
  }

  int64_t cols;
  int64_t tokens;
  std::vector<int8_t> values;
  std::vector<float> scales;
  std::vector<int32_t> offsets;
};

TEST(QuantizeGroups, IsTheDefinitionAndTheSameBits) {
  OnEveryIsa([](const Kernels& kernels, std::mt19937& random) {
    for (const float magnitude : {0.0f, 1e-38f, 1e-20f, 1.0f, 1e30f}) {
      auto x = RandomFloats(320, random, magnitude);
      x[40] = 4 * magnitude;  // the largest of its group, and then a tie
      x[41] = 4 * magnitude * 2.5f / 127.0f;
      std::fill_n(x.begin() + 64, 32, 0.0f);
      const Quantized got(x, 1, kernels.quantize_groups);
      EXPECT_TRUE(got == Quantized(x, 1, scalar::QuantizeGroups)) << magnitude;
      for (size_t group = 0; group < x.size() / kQuantizedGroup; ++group) {
        float max = 0;
        int32_t sum = 0;
        for (size_t i = group * 32; i < group * 32 + 32; ++i) {
          max = std::max(max, std::fabs(x[i]));
          sum += got.values[i];
        }
        const bool counts = max >= kMinQuantized;
        EXPECT_EQ(got.scales[group], counts ? max / 127.0f : 0.0f);
        EXPECT_EQ(got.offsets[group], -sum);
        for (size_t i = group * 32; i < group * 32 + 32; ++i) {
          const float want = counts ? std::nearbyint(x[i] * (127.0f / max)) : 0.0f;
          ASSERT_EQ(got.values[i], static_cast<int>(want)) << i;
        }
      }
    }
  });
}

// Its scales, unlike those of q8_0, are not rounded.
TEST(QuantizeGroups, IsNoFartherThanHalfAStepAndNoWorseThanQ8_0) {
  OnEveryIsa([](const Kernels& kernels, std::mt19937& random) {
    const auto x = RandomFloats(65536, random);
    const Quantized got(x, 1, kernels.quantize_groups);
    double squares = 0;
    double q8_squares = 0;
    for (size_t group = 0; group < x.size() / kQuantizedGroup; ++group) {
      const float* from = &x[group * kQuantizedGroup];
      const double scale = got.scales[group];
      uint8_t q8[kQuantizedGroup];
      const double q8_scale = F16ToF32(QuantizeQ8(from, q8));
      for (int i = 0; i < kQuantizedGroup; ++i) {
        const double error = from[i] - got.values[group * kQuantizedGroup + i] * scale;
        const double q8_error = from[i] - static_cast<int8_t>(q8[i]) * q8_scale;
        ASSERT_LE(std::fabs(error), scale * (0.5 + 1e-4));
        squares += error * error;
        q8_squares += q8_error * q8_error;
      }
    }
    EXPECT_LT(squares, q8_squares);
  });
}

// What is not finite is refused elsewhere; it must not bring other answers on other machines.
TEST(QuantizeGroups, TreatsWhatIsNotFiniteAlikeEverywhere) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  OnEveryIsa([](const Kernels& kernels, std::mt19937& random) {
    for (const float bad : {kInfinity, -kInfinity, kNan, -kNan}) {
      for (const int64_t place : {0, 17, 31}) {
        auto x = RandomFloats(64, random);
        x[place] = bad;
        EXPECT_TRUE(Quantized(x, 1, kernels.quantize_groups) ==
                    Quantized(x, 1, scalar::QuantizeGroups));
        EXPECT_TRUE(Quantized(std::vector<float>(32, bad), 1, kernels.quantize_groups) ==
                    Quantized(std::vector<float>(32, bad), 1, scalar::QuantizeGroups));
      }
    }
  });
}

// Rows [0, 3] hold codes of one kind, or two that take turns: with tokens of one kind they bring
// the sums of a group to their limits.
struct GroupsCase {
  GroupsCase(int64_t rows, int64_t columns, int group, int64_t tokens, std::mt19937& random)
      : cols(columns),
        codes(rows * cols),
        scales(rows * cols / group),
        input(Tokens(tokens, cols, random), tokens, scalar::QuantizeGroups),
        weights{.rows = rows, .cols = cols, .group = group} {
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t c = 0; c < cols; ++c) {
        codes[r * cols + c] = r == 0   ? 3
                              : r == 1 ? 0
                              : r == 2 ? static_cast<int>(c % 2 * 3)
                                       : static_cast<int>(random() % 4);
      }
    }
    for (float& scale : scales) {
      scale = F16ToF32(F32ToF16(static_cast<float>(random() % 2001) / 1000.0f - 0.5f));
    }
    scales[0] = 0x1p-24f;  // the smallest f16 there is
    strips.resize(weights.bytes());
    Pack();
    weights.strips = strips.data();
  }

  // Of +-1 alone, which quantise to +-127, and any.
  static std::vector<float> Tokens(int64_t tokens, int64_t cols, std::mt19937& random) {
    auto x = RandomFloats(tokens * cols, random);
    for (int64_t t = 0; t < std::min<int64_t>(tokens, 3); ++t) {
      for (int64_t c = 0; c < cols; ++c) {
        x[t * cols + c] = t == 0 ? 1.0f : t == 1 ? -1.0f : c % 2 == 0 ? -1.0f : 1.0f;
      }
    }
    return x;
  }

  // By the rule in kernels.h, written down once more: element by element.
  void Pack() {
    const int group = weights.group;
    const int64_t group_bytes = group * 4 + 32;
    for (int64_t r = 0; r < weights.rows; ++r) {
      for (int64_t c = 0; c < cols; ++c) {
        std::byte* at = &strips[(r / 16 * (cols / group) + c / group) * group_bytes];
        at[c % group / 16 * 64 + r % 16 * 4 + c % 4] |=
            static_cast<std::byte>(codes[r * cols + c] << (2 * (c % 16 / 4)));
        const uint16_t half = F32ToF16(scales[(r * cols + c) / group]);
        std::memcpy(at + group * 4 + r % 16 * 2, &half, sizeof half);
      }
    }
  }

  double Weight(int64_t r, int64_t c) const {
    return (codes[r * cols + c] - 1) * double{scales[(r * cols + c) / weights.group]};
  }

  int64_t cols;
  std::vector<int> codes;     // [rows][cols]
  std::vector<float> scales;  // [rows][cols / group]
  std::vector<std::byte> strips;
  Quantized input;
  TernaryGroups weights;
};

TEST(TernaryGroupsMatmul, IsTheSumOfTheProducts) {
  OnEveryIsa([](const Kernels& kernels, std::mt19937& random) {
    for (const int group : {64, 128}) {
      for (const int64_t cols : {int64_t{group}, int64_t{640}, int64_t{2048}}) {
        const int64_t rows = 19;
        const int64_t tokens = 5;
        const GroupsCase c(rows, cols, group, tokens, random);
        std::vector<float> got(tokens * rows);
        kernels.ternary_groups_matmul(c.weights, 0, rows, c.input.View(), got.data(), rows);
        for (int64_t t = 0; t < tokens; ++t) {
          for (int64_t r = 0; r < rows; ++r) {
            double sum = 0;
            double size = 0;
            for (int64_t i = 0; i < cols; ++i) {
              const int64_t at = t * cols + i;
              const double product = c.Weight(r, i) * c.input.values[at] *
                                     double{c.input.scales[at / kQuantizedGroup]};
              sum += product;
              size += std::fabs(product);
            }
            // A rounding for each group.
            ASSERT_NEAR(got[t * rows + r], sum, size * 0x1p-22)
                << "row " << r << " token " << t << " cols " << cols << " group " << group;
          }
        }
      }
    }
  });
}

// In two parts, and nothing beside them.
void ExpectSameBitsAsScalar(const Kernels& kernels, const GroupsCase& c, int64_t split) {
  const int64_t rows = c.weights.rows;
  const int64_t stride = rows + 2;
  const QuantizedGroups input = c.input.View();
  std::vector<float> want(input.tokens * stride, -1.0f);
  std::vector<float> got = want;
  scalar::TernaryGroupsMatmul(c.weights, 0, rows, input, want.data(), stride);
  kernels.ternary_groups_matmul(c.weights, 0, split, input, got.data(), stride);
  kernels.ternary_groups_matmul(c.weights, split, rows, input, got.data(), stride);
  EXPECT_TRUE(SameBits(got, want))
      << rows << " rows split at " << split << ", " << c.cols << " cols in groups of "
      << c.weights.group << ", " << input.tokens << " tokens";
}

TEST(TernaryGroupsMatmul, GivesTheSameBitsByEveryPlan) {
  OnEveryIsa([](const Kernels& kernels, std::mt19937& random) {
    for (const int64_t tokens : {1, 5, 17}) {
      GroupsCase c(35, 640, 64, tokens, random);
      for (const PrefetchPlan& plan : kPlansOfWeights) {
        c.weights.prefetch = plan;
        ExpectSameBitsAsScalar(kernels, c, 16);
      }
    }
  });
}

TEST(TernaryGroupsMatmul, GivesTheSameBitsForEveryShapeAndSplit) {
  OnEveryIsa([](const Kernels& kernels, std::mt19937& random) {
    for (const int group : {64, 128}) {
      for (int64_t tokens = 1; tokens <= 17; ++tokens) {
        ExpectSameBitsAsScalar(kernels, GroupsCase(18, 384, group, tokens, random), 16);
      }
      for (const int64_t rows : {1, 15, 16, 17, 32, 48}) {
        for (int64_t split = 0; split <= rows; split += kStripRows) {
          ExpectSameBitsAsScalar(kernels, GroupsCase(rows, 128, group, 3, random), split);
        }
      }
      ExpectSameBitsAsScalar(kernels, GroupsCase(16, 6144, group, 70, random), 16);
      // Whole tiles of tokens and what is left of them.
      for (const int64_t tokens : {31, 50, 64, 130}) {
        ExpectSameBitsAsScalar(kernels, GroupsCase(33, 1152, group, tokens, random), 16);
      }
    }
  });
}

}  // namespace
}  // namespace bitfetch
