// SPDX-License-Identifier: Apache-2.0
#include "kernels/attention.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "base/float16.h"
#include "kernels/exp2.h"
#include "kernels/test_data.h"
#include "kv/kv_cache.h"

namespace bitfetch {
namespace {

struct Shape {
  int kv_heads;
  int group;
  int head_dim;
};

// Keys, values and queries of a whole sequence, beside a cache that holds them.
struct Case {
  Shape shape;
  std::vector<float> keys;  // [tokens][kv_heads][head_dim]
  std::vector<float> values;
  std::vector<float> queries;  // [tokens][heads][head_dim]
  KvCache cache;
};

Case MakeCase(Shape shape, KvTypes types, int64_t tokens, BlockPlacement placement, float scale,
              uint32_t seed) {
  std::mt19937 random(seed);
  const int64_t kv_floats = tokens * shape.kv_heads * shape.head_dim;
  Case result{shape, RandomFloats(kv_floats, random, scale), RandomFloats(kv_floats, random),
              RandomFloats(kv_floats * shape.group, random, scale),
              KvCache::Create({.layers = 1,
                               .kv_heads = shape.kv_heads,
                               .head_dim = shape.head_dim,
                               .types = types,
                               .limit = tokens,
                               .pages = PageSize::k4K,
                               .placement = placement})
                  .value()};
  EXPECT_TRUE(result.cache.Append(0, tokens, result.keys.data(), result.values.data()));
  return result;
}

struct Setting {
  const Kernels* kernels = SupportedKernels()[0];
  int threads = 1;
  int64_t batch = 1;
  PrefetchPlan prefetch = {};
};

PrefetchPlan Ahead(int64_t distance, int streams = 4, PrefetchHint hint = PrefetchHint::kL1) {
  return {.on = distance > 0, .distance_bytes = distance, .streams = streams, .hint = hint};
}

// The last `count` tokens of the case, in batches: a fork of the cache is cut to the end of each
// batch.
std::vector<float> RunLast(const Case& c, int64_t count, const Setting& run) {
  const auto pool = ThreadPool::Create(run.threads).value();
  Attention attention(*run.kernels, *pool);
  const int64_t tokens = c.cache.length();
  const int64_t token_floats = int64_t{c.shape.kv_heads} * c.shape.group * c.shape.head_dim;
  std::vector<float> out(count * token_floats, NAN);
  for (int64_t done = 0; done < count;) {
    const int64_t batch = std::min(run.batch, count - done);
    const int64_t first = tokens - count + done;
    KvCache prefix = c.cache.Fork();
    prefix.Truncate(first + batch);
    attention.Run(*prefix.View(0), c.shape.group, c.queries.data() + first * token_floats, batch,
                  run.prefetch, out.data() + done * token_floats);
    done += batch;
  }
  return out;
}

// The definition, in double precision, for the last token.
std::vector<double> Reference(const Case& c, KvTypes types) {
  const auto [kv_heads, group, dims] = c.shape;
  const int64_t tokens = c.cache.length();
  const auto stored = [](float x, KvType type) -> double {
    if (type == KvType::kF32) return x;
    return type == KvType::kF16 ? F16ToF32(F32ToF16(x)) : BF16ToF32(F32ToBF16(x));
  };
  std::vector<double> out;
  for (int head = 0; head < kv_heads * group; ++head) {
    const float* query = c.queries.data() + ((tokens - 1) * kv_heads * group + head) * dims;
    std::vector<double> scores(tokens);
    for (int64_t t = 0; t < tokens; ++t) {
      for (int d = 0; d < dims; ++d) {
        scores[t] += query[d] * stored(c.keys[(t * kv_heads + head / group) * dims + d], types.k);
      }
      scores[t] /= std::sqrt(dims);
    }
    const double max = *std::max_element(scores.begin(), scores.end());
    double total = 0;
    std::vector<double> sums(dims);
    for (int64_t t = 0; t < tokens; ++t) {
      const double weight = std::exp(scores[t] - max);
      total += weight;
      for (int d = 0; d < dims; ++d) {
        sums[d] += weight * stored(c.values[(t * kv_heads + head / group) * dims + d], types.v);
      }
    }
    for (const double sum : sums) out.push_back(sum / total);
  }
  return out;
}

void ExpectNear(const std::vector<float>& got, const std::vector<double>& want, int dims,
                double tolerance) {
  for (size_t head = 0; head * dims < want.size(); ++head) {
    double largest = 0;
    for (int d = 0; d < dims; ++d) largest = std::max(largest, std::fabs(want[head * dims + d]));
    for (int d = 0; d < dims; ++d) {
      ASSERT_NEAR(got[head * dims + d], want[head * dims + d], tolerance * largest)
          << "head " << head << " dim " << d;
    }
  }
}

constexpr KvTypes kF32{KvType::kF32, KvType::kF32};
constexpr KvTypes kF16{KvType::kF16, KvType::kF16};
const std::vector<KvTypes> kTypes = {kF32,
                                     kF16,
                                     {KvType::kF32, KvType::kF16},
                                     {KvType::kF16, KvType::kF32},
                                     {KvType::kBF16, KvType::kBF16}};
const std::vector<Shape> kShapes = {{1, 1, 16}, {2, 2, 64}, {5, 4, 128}, {1, 5, 64},
                                    {3, 3, 96}, {2, 7, 32}, {1, 4, 256}};

TEST(Attention, AgreesWithDoublePrecision) {
  for (const Shape shape : kShapes) {
    for (const int64_t tokens : {1, 2, 15, 16, 17, 64, 65, 255, 256, 257, 700}) {
      for (const float scale : {0.3f, 1.0f, 2.0f}) {
        const Case c = MakeCase(shape, kF32, tokens, BlockPlacement::kContiguous, scale, 1);
        for (const Kernels* kernels : SupportedKernels()) {
          ExpectNear(RunLast(c, 1, {.kernels = kernels}), Reference(c, kF32), shape.head_dim, 1e-5);
        }
      }
    }
  }
}

// The reference reads what f16 holds, so that only the arithmetic differs.
TEST(Attention, ReadsEveryPairOfTypes) {
  for (const KvTypes types : kTypes) {
    const Case c = MakeCase({2, 4, 64}, types, 300, BlockPlacement::kShuffled, 1.0f, 2);
    for (const Kernels* kernels : SupportedKernels()) {
      ExpectNear(RunLast(c, 1, {.kernels = kernels}), Reference(c, types), 64, 1e-5);
    }
  }
}

TEST(Attention, GivesTheSameBitsOnEveryIsa) {
  for (const Shape shape : kShapes) {
    for (const KvTypes types : kTypes) {
      for (const int64_t tokens : {1, 17, 90, 333}) {
        const Case c = MakeCase(shape, types, tokens, BlockPlacement::kShuffled, 1.0f, 3);
        const auto want = RunLast(c, 1, {});
        for (const Kernels* kernels : SupportedKernels()) {
          for (const PrefetchPlan& plan :
               {Ahead(0), Ahead(64, 1), Ahead(4096), Ahead(65536, 8, PrefetchHint::kL2),
                Ahead(1048576, 16, PrefetchHint::kL2)}) {
            EXPECT_TRUE(SameBits(RunLast(c, 1, {.kernels = kernels, .prefetch = plan}), want))
                << IsaName(kernels->isa) << " head_dim " << shape.head_dim << " tokens " << tokens;
          }
        }
      }
    }
  }
}

TEST(Attention, GivesTheSameBitsForAnyThreadsBatchesAndPlaces) {
  const Shape shape{2, 4, 64};
  const Case contiguous = MakeCase(shape, kF16, 1100, BlockPlacement::kContiguous, 1.0f, 4);
  const Case shuffled = MakeCase(shape, kF16, 1100, BlockPlacement::kShuffled, 1.0f, 4);
  const auto want = RunLast(contiguous, 80, {.kernels = SupportedKernels().back()});
  for (const Case* c : {&contiguous, &shuffled}) {
    for (const int threads : {1, 2, 5}) {
      for (const int64_t batch : {1, 7, 64, 80}) {
        const Setting run{.kernels = SupportedKernels().back(),
                          .threads = threads,
                          .batch = batch,
                          .prefetch = Ahead(4096)};
        EXPECT_TRUE(SameBits(RunLast(*c, 80, run), want))
            << threads << " threads, batches of " << batch;
      }
    }
  }
}

std::vector<float> RunOn(Case& c, const Kernels* kernels) {
  return RunLast(c, 1, {.kernels = kernels});
}

// Inputs that overflow, underflow or tie: finite results, the same bits everywhere.
TEST(Attention, StaysFiniteOnAdversarialInput) {
  const Shape shape{1, 2, 32};
  const int64_t tokens = 300;
  const auto check = [&](const std::string& name, auto change) {
    Case c = MakeCase(shape, kF32, tokens, BlockPlacement::kContiguous, 1.0f, 5);
    change(c);
    c.cache.Clear();
    ASSERT_TRUE(c.cache.Append(0, tokens, c.keys.data(), c.values.data()));
    const auto want = RunOn(c, SupportedKernels()[0]);
    for (const float x : want) ASSERT_TRUE(std::isfinite(x)) << name;
    for (const Kernels* kernels : SupportedKernels()) {
      ASSERT_TRUE(SameBits(RunOn(c, kernels), want)) << name << " on " << IsaName(kernels->isa);
    }
  };
  check("equal scores", [](Case& c) { std::fill(c.keys.begin(), c.keys.end(), 0.0f); });
  check("one huge score", [](Case& c) { c.keys[40] = 1e30f; });
  check("huge keys and queries", [](Case& c) {
    for (float& x : c.keys) x *= 1e30f;
    for (float& x : c.queries) x *= 1e30f;
  });
  check("huge values", [](Case& c) {
    for (float& x : c.values) x *= 1e30f;
  });
  check("denormals", [](Case& c) {
    for (float& x : c.keys) x *= 1e-40f;
    for (float& x : c.values) x *= 1e-40f;
  });
  check("rising scores", [](Case& c) {
    for (size_t i = 0; i < c.keys.size(); ++i) c.keys[i] = static_cast<float>(i / 32);
    std::fill(c.queries.begin(), c.queries.end(), 1.0f);
  });
}

TEST(Attention, GivesZerosWhereNothingIsSeen) {
  const Case c = MakeCase({2, 4, 64}, kF16, 1, BlockPlacement::kContiguous, 1.0f, 6);
  const auto pool = ThreadPool::Create(2).value();
  const std::vector<float> queries(size_t{3} * 8 * 64, 1.0f);
  for (const Kernels* kernels : SupportedKernels()) {
    Attention attention(*kernels, *pool);
    KvCache cache = c.cache.Fork();
    std::vector<float> out(queries.size(), 1.0f);
    // Three tokens that end with the only one stored: the first two come before everything.
    attention.Run(*cache.View(0), 4, queries.data(), 3, Ahead(4096), out.data());
    EXPECT_EQ(std::vector<float>(out.begin(), out.begin() + 2 * 8 * 64),
              std::vector<float>(2 * 8 * 64, 0.0f));
    EXPECT_NE(out.back(), 0.0f);
    cache.Clear();
    attention.Run(*cache.View(0), 4, queries.data(), 1, Ahead(4096), out.data());
    EXPECT_EQ(std::vector<float>(out.begin(), out.begin() + 8 * 64),
              std::vector<float>(8 * 64, 0.0f));
  }
}

TEST(Exp2, IsCloseAndHasNoDenormals) {
  for (int i = -1240; i <= 1260; ++i) {
    const float x = static_cast<float>(i) * 0.1f;
    EXPECT_NEAR(Exp2(x) / std::exp2(static_cast<double>(x)), 1.0, 1.2e-7) << x;
  }
  EXPECT_EQ(Exp2(0.0f), 1.0f);
  EXPECT_EQ(Exp2(-126.0f), 0.0f);
  EXPECT_EQ(Exp2(-INFINITY), 0.0f);
  EXPECT_EQ(Exp2(NAN), 0.0f);
  EXPECT_EQ(Exp2(1000.0f), 0x1p127f);
}

}  // namespace
}  // namespace bitfetch
