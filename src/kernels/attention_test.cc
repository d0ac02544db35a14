// SPDX-License-Identifier: Apache-2.0
#include "kernels/attention.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "kernels/exp2.h"
#include "kernels/test_data.h"
#include "kv/kv_cache.h"
#include "kv/test_tiles.h"

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
  // Whatever slots hold that were never written, it must not matter.
  EXPECT_TRUE(result.cache.Append(0, tokens, result.keys.data(), result.values.data()));
  const KvView view = *result.cache.View(0);
  for (int64_t tile = 0; tile * kTileTokens < tokens; ++tile) {
    std::memset(const_cast<std::byte*>(view.Block(tile)), 0xff, view.layout.block_bytes());
  }
  result.cache.Clear();
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

// What keys in codes are multiplied with: every 32 dims of a scaled query as codes of their own
// scale, scaled back.
std::vector<float> CodedQuery(const float* query, int dims) {
  const auto factor = static_cast<float>(1.4426950408889634 / std::sqrt(dims));
  std::vector<float> coded;
  for (int first = 0; first < dims; first += 32) {
    float largest = 0;
    for (int i = 0; i < 32; ++i) largest = std::max(largest, std::fabs(query[first + i] * factor));
    for (int i = 0; i < 32; ++i) {
      const float code = std::nearbyint(query[first + i] * factor * (127 / largest));
      coded.push_back(code * (largest / 127) / factor);
    }
  }
  return coded;
}

// The definition, in double precision, for the last token, of what the cache reads back as.
// coded: with queries as keys in codes meet them.
std::vector<double> Reference(const Case& c, bool coded = false) {
  const auto [kv_heads, group, dims] = c.shape;
  const int64_t tokens = c.cache.length();
  const KvView view = *c.cache.View(0);
  std::vector<double> out;
  for (int head = 0; head < kv_heads * group; ++head) {
    const float* query = c.queries.data() + ((tokens - 1) * kv_heads * group + head) * dims;
    const std::vector<float> coded_query = CodedQuery(query, dims);
    if (coded) query = coded_query.data();
    std::vector<double> scores(tokens);
    for (int64_t t = 0; t < tokens; ++t) {
      for (int d = 0; d < dims; ++d) {
        scores[t] += static_cast<double>(query[d]) * ReadKey(view, t, head / group, d);
      }
      scores[t] /= std::sqrt(dims);
    }
    const double max = *std::max_element(scores.begin(), scores.end());
    double total = 0;
    std::vector<double> sums(dims);
    for (int64_t t = 0; t < tokens; ++t) {
      const double weight = std::exp(scores[t] - max);
      total += weight;
      for (int d = 0; d < dims; ++d) sums[d] += weight * ReadValue(view, t, head / group, d);
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
constexpr KvTypes kQ8{KvType::kQ8_0, KvType::kQ8_0};
constexpr KvTypes kQ4{KvType::kQ4_0, KvType::kQ4_0};
const std::vector<KvTypes> kFloatTypes = {kF32,
                                          kF16,
                                          {KvType::kF32, KvType::kF16},
                                          {KvType::kF16, KvType::kF32},
                                          {KvType::kBF16, KvType::kBF16}};
const std::vector<KvTypes> kCodeTypes = {kQ8,
                                         kQ4,
                                         {KvType::kQ8_0, KvType::kQ4_0},
                                         {KvType::kQ4_0, KvType::kQ8_0},
                                         {KvType::kQ8_0, KvType::kF16},
                                         {KvType::kF32, KvType::kQ8_0},
                                         {KvType::kF16, KvType::kQ4_0}};
const std::vector<Shape> kShapes = {{1, 1, 16}, {2, 2, 64}, {5, 4, 128}, {1, 5, 64},
                                    {3, 3, 96}, {2, 7, 32}, {1, 4, 256}, {1, 6, 32}};

TEST(Attention, AgreesWithDoublePrecision) {
  for (const Shape shape : kShapes) {
    for (const int64_t tokens : {1, 2, 15, 16, 17, 64, 65, 255, 256, 257, 700}) {
      for (const float scale : {0.3f, 1.0f, 2.0f}) {
        const Case c = MakeCase(shape, kF32, tokens, BlockPlacement::kContiguous, scale, 1);
        for (const Kernels* kernels : SupportedKernels()) {
          ExpectNear(RunLast(c, 1, {.kernels = kernels}), Reference(c), shape.head_dim, 1e-5);
        }
      }
    }
  }
}

// The reference reads what f16 holds, so that only the arithmetic differs.
TEST(Attention, ReadsEveryPairOfTypes) {
  for (const KvTypes types : kFloatTypes) {
    const Case c = MakeCase({2, 4, 64}, types, 300, BlockPlacement::kShuffled, 1.0f, 2);
    for (const Kernels* kernels : SupportedKernels()) {
      ExpectNear(RunLast(c, 1, {.kernels = kernels}), Reference(c), 64, 1e-5);
    }
  }
}

// The reference reads what codes hold. Given the query's codes, only those of the weights are left
// as an approximation.
TEST(Attention, ReadsCodesWithinTheirApproximation) {
  for (const Shape shape : kShapes) {
    if (shape.head_dim % kQuantizedDims != 0) continue;
    for (const KvTypes types : kCodeTypes) {
      for (const int64_t tokens : {1, 16, 63, 300}) {
        const Case c = MakeCase(shape, types, tokens, BlockPlacement::kShuffled, 1.0f, 8);
        const auto got = RunLast(c, 1, {});
        ExpectNear(got, Reference(c, IsQuantized(types.k)), shape.head_dim, 2e-4);
        ExpectNear(got, Reference(c), shape.head_dim, IsQuantized(types.k) ? 3e-2 : 2e-4);
      }
    }
  }
}

// One token has nearly all of the weight, and values of zero: what the others give is all there is.
TEST(Attention, KeepsTheTailBesideADominatingToken) {
  constexpr int kDims = 64;
  for (const KvTypes types : {kQ8, kQ4}) {
    for (const int64_t tokens : {60, 300}) {
      Case c = MakeCase({1, 2, kDims}, types, tokens, BlockPlacement::kContiguous, 1.0f, 9);
      std::fill(c.queries.begin(), c.queries.end(), 1.25f);  // 12.5 above the others
      std::fill(c.keys.begin(), c.keys.end(), 0.0f);
      std::fill_n(c.keys.begin() + 7 * kDims, kDims, 1.25f);
      std::fill_n(c.values.begin() + 7 * kDims, kDims, 0.0f);
      c.cache.Clear();
      ASSERT_TRUE(c.cache.Append(0, tokens, c.keys.data(), c.values.data()));
      const std::vector<double> want = Reference(c);
      EXPECT_LT(std::fabs(want[0]), 1e-3);
      ExpectNear(RunLast(c, 1, {}), want, kDims, 2e-4);
    }
  }
}

TEST(Attention, GivesTheSameBitsOnEveryIsa) {
  std::vector<KvTypes> all = kFloatTypes;
  all.insert(all.end(), kCodeTypes.begin(), kCodeTypes.end());
  for (const Shape shape : kShapes) {
    for (const KvTypes types : all) {
      if (shape.head_dim % std::max(KvDimStep(types.k), KvDimStep(types.v)) != 0) continue;
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

TEST(Attention, GivesTheSameBitsForEveryNumberOfTokens) {
  constexpr int64_t kTokens = 333;
  for (const KvTypes types : {kF16, kQ8, kQ4}) {
    const Case c = MakeCase({1, 3, 32}, types, kTokens, BlockPlacement::kShuffled, 1.0f, 7);
    const auto want = RunLast(c, kTokens, {});
    for (const Kernels* kernels : SupportedKernels()) {
      for (const int64_t batch : {1, 50}) {
        const Setting run{.kernels = kernels, .batch = batch, .prefetch = Ahead(1024)};
        EXPECT_TRUE(SameBits(RunLast(c, kTokens, run), want))
            << IsaName(kernels->isa) << " " << KvTypesName(types) << " batches of " << batch;
      }
    }
  }
}

TEST(Attention, GivesTheSameBitsForAnyThreadsBatchesAndPlaces) {
  const Shape shape{2, 4, 64};
  for (const KvTypes types : {kF16, kQ8, kQ4}) {
    const Case contiguous = MakeCase(shape, types, 1100, BlockPlacement::kContiguous, 1.0f, 4);
    const Case shuffled = MakeCase(shape, types, 1100, BlockPlacement::kShuffled, 1.0f, 4);
    const auto want = RunLast(contiguous, 80, {.kernels = SupportedKernels().back()});
    for (const Case* c : {&contiguous, &shuffled}) {
      for (const int threads : {1, 2, 5}) {
        for (const int64_t batch : {1, 7, 64, 80}) {
          const Setting run{.kernels = SupportedKernels().back(),
                            .threads = threads,
                            .batch = batch,
                            .prefetch = Ahead(4096)};
          EXPECT_TRUE(SameBits(RunLast(*c, 80, run), want))
              << KvTypesName(types) << " " << threads << " threads, batches of " << batch;
        }
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
    for (const KvTypes types : {kF32, kQ8, kQ4}) {
      Case c = MakeCase(shape, types, tokens, BlockPlacement::kContiguous, 1.0f, 5);
      change(c);
      c.cache.Clear();
      ASSERT_TRUE(c.cache.Append(0, tokens, c.keys.data(), c.values.data()));
      const auto want = RunOn(c, SupportedKernels()[0]);
      for (const float x : want) ASSERT_TRUE(std::isfinite(x)) << name << KvTypesName(types);
      for (const Kernels* kernels : SupportedKernels()) {
        ASSERT_TRUE(SameBits(RunOn(c, kernels), want))
            << name << " " << KvTypesName(types) << " on " << IsaName(kernels->isa);
      }
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
  check("denormal queries", [](Case& c) {
    for (float& x : c.queries) x *= 1e-40f;
  });
  check("huge queries", [](Case& c) {
    for (float& x : c.queries) x *= 1e37f;
  });
  check("values that f16 cannot scale", [](Case& c) {
    for (float& x : c.values) x *= 1e-7f;
  });
  check("zero values", [](Case& c) { std::fill(c.values.begin(), c.values.end(), 0.0f); });
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
