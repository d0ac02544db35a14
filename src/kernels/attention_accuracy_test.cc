// SPDX-License-Identifier: Apache-2.0
// How close attention comes to its definition.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "kernels/test_attention.h"
#include "kv/test_tiles.h"

namespace bitfetch {
namespace {

// By the definition, of what was appended.
std::vector<double> OfInput(const Input& input) {
  const auto at = [&](const std::vector<float>& floats) {
    return [&](int64_t token, int head, int dim) {
      return floats[(token * input.shape.kv_heads + head) * input.shape.head_dim + dim];
    };
  };
  return AttendByDefinition(input, LastQueries(input), at(input.keys), at(input.values));
}

// What keys in codes are multiplied with: every 32 dims of scaled queries as codes of their own
// scale, scaled back.
std::vector<float> CodedQueries(const std::vector<float>& queries, int dims) {
  const auto factor = static_cast<float>(1.4426950408889634 / std::sqrt(dims));
  std::vector<float> coded;
  for (size_t first = 0; first < queries.size(); first += 32) {
    float largest = 0;
    for (int i = 0; i < 32; ++i) {
      largest = std::max(largest, std::fabs(queries[first + i] * factor));
    }
    for (int i = 0; i < 32; ++i) {
      const float code = std::nearbyint(queries[first + i] * factor * (127 / largest));
      coded.push_back(code * (largest / 127) / factor);
    }
  }
  return coded;
}

// By the definition, of what the cache reads back as, so that only the arithmetic differs.
// coded: with queries as keys in codes meet them.
std::vector<double> OfStored(const Case& c, bool coded = false) {
  const KvView view = *c.cache.View(0);
  const auto from = [&](auto read) {
    return [&view, read](int64_t token, int head, int dim) { return read(view, token, head, dim); };
  };
  std::vector<float> queries = LastQueries(c.input);
  if (coded) queries = CodedQueries(queries, c.input.shape.head_dim);
  return AttendByDefinition(c.input, queries, from(ReadKey), from(ReadValue));
}

TEST(AttentionAccuracy, ReadsEveryPairOfTypes) {
  for (const KvTypes types : kFloatTypes) {
    const Case c(RandomInput({2, 4, 64}, 300, 1.0f, 2), types, BlockPlacement::kShuffled);
    for (const Kernels* kernels : SupportedKernels()) {
      ExpectNear(RunLast(c, 1, {.kernels = kernels}), OfStored(c), 64, 1e-5);
    }
  }
}

// The reference reads what codes hold. Given the query's codes, only those of the weights are left
// as an approximation.
TEST(AttentionAccuracy, ReadsCodesWithinTheirApproximation) {
  for (const Shape shape : kShapes) {
    if (shape.head_dim % kQuantizedDims != 0) continue;
    for (const KvTypes types : kCodeTypes) {
      for (const int64_t tokens : {1, 16, 63, 300}) {
        const Case c(RandomInput(shape, tokens, 1.0f, 8), types, BlockPlacement::kShuffled);
        const auto got = RunLast(c, 1, {});
        ExpectNear(got, OfStored(c, IsQuantized(types.k)), shape.head_dim, 2e-4);
        ExpectNear(got, OfStored(c), shape.head_dim, IsQuantized(types.k) ? 3e-2 : 2e-4);
      }
    }
  }
}

// One token has nearly all of the weight, and values of zero: what the others give is all there is.
TEST(AttentionAccuracy, KeepsTheTailBesideADominatingToken) {
  constexpr int kDims = 64;
  for (const KvTypes types : {kQ8, kQ4}) {
    for (const int64_t tokens : {60, 300}) {
      Input input = RandomInput({1, 2, kDims}, tokens, 1.0f, 9);
      std::ranges::fill(input.queries, 1.25f);  // 12.5 above the others
      std::ranges::fill(input.keys, 0.0f);
      std::fill_n(input.keys.begin() + 7 * kDims, kDims, 1.25f);
      std::fill_n(input.values.begin() + 7 * kDims, kDims, 0.0f);
      const Case c(std::move(input), types);
      const std::vector<double> want = OfStored(c);
      EXPECT_LT(std::fabs(want[0]), 1e-3);
      ExpectNear(RunLast(c, 1, {}), want, kDims, 2e-4);
    }
  }
}

struct Bound {
  KvType type;
  double relative;
  float scale;  // of keys and queries: the larger scores are, the more a rounded key moves them
};
constexpr Bound kBounds[] = {
    {KvType::kF32, 1e-5, 2.0f}, {KvType::kF16, 1e-3, 1.0f}, {KvType::kBF16, 8e-3, 1.0f}};

void ExpectWithin(const Bound& bound, const Input& input, const std::string& what) {
  SCOPED_TRACE(fmt::format("{}, {}", what, KvTypeName(bound.type)));
  const Case c(input, {bound.type, bound.type});
  ExpectNear(RunLast(c, 1, {.kernels = SupportedKernels().back()}), OfInput(input),
             input.shape.head_dim, bound.relative);
}

TEST(AttentionAccuracy, OfRandomInput) {
  for (const int head_dim : {64, 96, 112, 128, 256}) {
    for (const int group : {1, 3, 4, 8}) {
      for (const int64_t tokens : {1, 15, 16, 17, 1000}) {
        for (const Bound& bound : kBounds) {
          ExpectWithin(bound, RandomInput({1, group, head_dim}, tokens, bound.scale, 1),
                       fmt::format("{} heads of {}, {} tokens", group, head_dim, tokens));
        }
      }
    }
  }
}

struct Adversity {
  const char* name;
  std::function<void(Input&)> make;
  std::vector<KvType> bounded;  // types whose range holds it, and so keep their bound
};

void Scale(std::vector<float>& floats, float by) {
  for (float& x : floats) x *= by;
}

const std::vector<KvType> kAllFloats = {KvType::kF32, KvType::kF16, KvType::kBF16};
const std::vector<KvType> kWide = {KvType::kF32, KvType::kBF16};
const std::vector<Adversity> kAdversities = {
    {"equal scores", [](Input& i) { std::ranges::fill(i.keys, 0.0f); }, kAllFloats},
    {"equal huge scores", [](Input& i) { std::ranges::fill(i.keys, 6e4f); }, kAllFloats},
    {"one huge key", [](Input& i) { i.keys[40] = 1e30f; }, kAllFloats},
    {"huge keys", [](Input& i) { Scale(i.keys, 1e30f); }, kWide},
    {"huge keys and queries",
     [](Input& i) {
       Scale(i.keys, 1e30f);
       Scale(i.queries, 1e30f);
     },
     {}},
    {"huge values", [](Input& i) { Scale(i.values, 1e30f); }, kWide},
    {"the largest values",
     [](Input& i) {
       for (float& x : i.values) x = std::copysign(std::numeric_limits<float>::max(), x);
     },
     {}},
    {"denormals",
     [](Input& i) {
       Scale(i.keys, 1e-40f);
       Scale(i.values, 1e-40f);
     },
     {KvType::kF32}},
    {"denormal keys", [](Input& i) { Scale(i.keys, 1e-40f); }, kAllFloats},
    {"denormal queries", [](Input& i) { Scale(i.queries, 1e-40f); }, kAllFloats},
    {"huge queries", [](Input& i) { Scale(i.queries, 1e37f); }, kAllFloats},
    {"tiny values", [](Input& i) { Scale(i.values, 1e-7f); }, kWide},
    {"zero values", [](Input& i) { std::ranges::fill(i.values, 0.0f); }, kAllFloats},
    {"rising scores",
     [](Input& i) {
       for (size_t k = 0; k < i.keys.size(); ++k) {
         const size_t token = k / i.shape.head_dim;
         i.keys[k] = static_cast<float>(token);
       }
       std::ranges::fill(i.queries, 1.0f);
     },
     {KvType::kF32, KvType::kF16}},  // integers up to 1000, which bf16 cannot tell apart
    {"alternating huge values",
     [](Input& i) {
       for (size_t k = 0; k < i.values.size(); ++k) {
         i.values[k] = k / i.shape.head_dim % 512 < 256 ? 3e38f : -3e38f;
       }
     },
     {}}};

TEST(AttentionAccuracy, OfAdversarialInput) {
  for (const Adversity& adversity : kAdversities) {
    for (const int64_t tokens : {17, 1000}) {
      Input input = RandomInput({1, 3, 64}, tokens, 1.0f, 5);
      adversity.make(input);
      for (const Bound& bound : kBounds) {
        if (std::ranges::count(adversity.bounded, bound.type) == 0) continue;
        ExpectWithin(bound, input, adversity.name);
      }
    }
  }
}

// Whatever overflows, underflows or ties: finite results, the same bits everywhere.
TEST(AttentionAccuracy, StaysFinite) {
  for (const Adversity& adversity : kAdversities) {
    Input input = RandomInput({1, 2, 32}, 300, 1.0f, 5);
    adversity.make(input);
    for (const KvType type : kKvTypes) {
      const Case c(input, {type, type});
      const auto want = RunLast(c, 1, {});
      for (const float x : want)
        EXPECT_TRUE(std::isfinite(x)) << adversity.name << " " << KvTypeName(type);
      for (const Kernels* kernels : SupportedKernels()) {
        EXPECT_TRUE(SameBits(RunLast(c, 1, {.kernels = kernels}), want))
            << adversity.name << " " << KvTypeName(type) << " on " << IsaName(kernels->isa);
      }
    }
  }
}

// Input that is not finite does not pass for an answer.
TEST(AttentionAccuracy, AValueThatIsNaNShows) {
  Input input = RandomInput({1, 1, 32}, 600, 1.0f, 6);
  input.values[40 * 32 + 3] = NAN;
  for (const KvTypes types : {kF32, kF16}) {
    const Case c(input, types);
    for (const Kernels* kernels : SupportedKernels()) {
      const auto out = RunLast(c, 1, {.kernels = kernels});
      for (int d = 0; d < 32; ++d) EXPECT_EQ(std::isnan(out[d]), d == 3) << IsaName(kernels->isa);
    }
  }
}

}  // namespace
}  // namespace bitfetch
