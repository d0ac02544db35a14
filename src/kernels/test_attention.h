// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_KERNELS_TEST_ATTENTION_H_
#define BITFETCH_KERNELS_TEST_ATTENTION_H_

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>
#include <utility>
#include <vector>

#include "base/same_bits.h"
#include "base/test_random.h"
#include "kernels/attention.h"
#include "kv/kv_cache.h"

// For tests: sequences to attend to, attention over them, and its definition in double precision.
namespace bitfetch {

struct Shape {
  int kv_heads;
  int group;
  int head_dim;
};

inline const std::vector<Shape> kShapes = {{1, 1, 16}, {2, 2, 64}, {5, 4, 128}, {1, 5, 64},
                                           {3, 3, 96}, {2, 7, 32}, {1, 4, 256}, {1, 6, 32}};

inline constexpr KvTypes kF32{KvType::kF32, KvType::kF32};
inline constexpr KvTypes kF16{KvType::kF16, KvType::kF16};
inline constexpr KvTypes kQ8{KvType::kQ8_0, KvType::kQ8_0};
inline constexpr KvTypes kQ4{KvType::kQ4_0, KvType::kQ4_0};
inline const std::vector<KvTypes> kFloatTypes = {kF32,
                                                 kF16,
                                                 {KvType::kF32, KvType::kF16},
                                                 {KvType::kF16, KvType::kF32},
                                                 {KvType::kBF16, KvType::kBF16}};
inline const std::vector<KvTypes> kCodeTypes = {kQ8,
                                                kQ4,
                                                {KvType::kQ8_0, KvType::kQ4_0},
                                                {KvType::kQ4_0, KvType::kQ8_0},
                                                {KvType::kQ8_0, KvType::kF16},
                                                {KvType::kF32, KvType::kQ8_0},
                                                {KvType::kF16, KvType::kQ4_0}};

// Keys, values and queries of a whole sequence.
struct Input {
  Shape shape;
  int64_t tokens;
  std::vector<float> keys;  // [tokens][kv_heads][head_dim]
  std::vector<float> values;
  std::vector<float> queries;  // [tokens][heads][head_dim]
};

// scale: of keys and of queries.
inline Input RandomInput(Shape shape, int64_t tokens, float scale, uint32_t seed) {
  std::mt19937 random(seed);
  const int64_t kv_floats = tokens * shape.kv_heads * shape.head_dim;
  return {shape, tokens, RandomFloats(kv_floats, random, scale), RandomFloats(kv_floats, random),
          RandomFloats(kv_floats * shape.group, random, scale)};
}

// A cache that holds the input. Whatever slots hold that were never written, it must not matter.
inline KvCache Store(const Input& input, KvTypes types, BlockPlacement placement) {
  KvCache cache = KvCache::Create({.layers = 1,
                                   .kv_heads = input.shape.kv_heads,
                                   .head_dim = input.shape.head_dim,
                                   .types = types,
                                   .limit = input.tokens,
                                   .pages = PageSize::k4K,
                                   .placement = placement})
                      .value();
  const auto append = [&] {
    return cache.Append(0, input.tokens, input.keys.data(), input.values.data());
  };
  EXPECT_TRUE(append());
  const KvView view = *cache.View(0);
  for (int64_t tile = 0; tile * kTileTokens < input.tokens; ++tile) {
    std::memset(const_cast<std::byte*>(view.Block(tile)), 0xff, view.layout.block_bytes());
  }
  cache.Clear();
  EXPECT_TRUE(append());
  return cache;
}

// An input beside a cache that holds it.
struct Case {
  Case(Input from, KvTypes types, BlockPlacement placement = BlockPlacement::kContiguous)
      : input(std::move(from)), cache(Store(input, types, placement)) {}

  Input input;
  KvCache cache;
};

struct Setting {
  const Kernels* kernels = SupportedKernels()[0];
  int threads = 1;
  int64_t batch = 1;
  PrefetchPlan prefetch = {};
};

// The last `count` tokens of the case, in batches: a fork of the cache is cut to the end of each
// batch.
inline std::vector<float> RunLast(const Case& c, int64_t count, const Setting& run,
                                  ThreadPool& pool) {
  Attention attention(*run.kernels, pool);
  const auto [kv_heads, group, head_dim] = c.input.shape;
  const int64_t token_floats = int64_t{kv_heads} * group * head_dim;
  std::vector<float> out(count * token_floats, NAN);
  for (int64_t done = 0; done < count;) {
    const int64_t batch = std::min(run.batch, count - done);
    const int64_t first = c.input.tokens - count + done;
    KvCache prefix = c.cache.Fork();
    prefix.Truncate(first + batch);
    const AttendSlice slice{.kv = *prefix.View(0),
                            .rows = batch,
                            .queries = c.input.queries.data() + first * token_floats,
                            .out = out.data() + done * token_floats};
    attention.Run({&slice, 1}, group, run.prefetch);
    done += batch;
  }
  return out;
}

inline std::vector<float> RunLast(const Case& c, int64_t count, const Setting& run) {
  return RunLast(c, count, run, *ThreadPool::Create(run.threads).value());
}

// The queries of the last token: [heads][head_dim].
inline std::vector<float> LastQueries(const Input& input) {
  const auto [kv_heads, group, head_dim] = input.shape;
  return {input.queries.end() - int64_t{kv_heads} * group * head_dim, input.queries.end()};
}

// The definition, in double precision, for one token with these queries that attends to all.
// key, value: float (token, KV head, dim).
template <class Key, class Value>
std::vector<double> AttendByDefinition(const Input& input, const std::vector<float>& queries,
                                       const Key& key, const Value& value) {
  const auto [kv_heads, group, dims] = input.shape;
  std::vector<double> out;
  for (int head = 0; head < kv_heads * group; ++head) {
    std::vector<double> scores(input.tokens);
    for (int64_t t = 0; t < input.tokens; ++t) {
      for (int d = 0; d < dims; ++d) {
        scores[t] += static_cast<double>(queries[head * dims + d]) * key(t, head / group, d);
      }
      scores[t] /= std::sqrt(dims);
    }
    const double max = *std::max_element(scores.begin(), scores.end());
    double total = 0;
    std::vector<double> sums(dims);
    for (int64_t t = 0; t < input.tokens; ++t) {
      const double weight = std::exp(scores[t] - max);
      total += weight;
      for (int d = 0; d < dims; ++d) sums[d] += weight * value(t, head / group, d);
    }
    for (const double sum : sums) out.push_back(sum / total);
  }
  return out;
}

// tolerance: relative to the largest absolute value of the head's output, down to what denormal
// floats can tell apart.
inline void ExpectNear(const std::vector<float>& got, const std::vector<double>& want, int dims,
                       double tolerance) {
  constexpr double kDenormals = 4 * 0x1p-149;
  for (size_t head = 0; head * dims < want.size(); ++head) {
    double largest = 0;
    for (int d = 0; d < dims; ++d) largest = std::max(largest, std::fabs(want[head * dims + d]));
    for (int d = 0; d < dims; ++d) {
      ASSERT_NEAR(got[head * dims + d], want[head * dims + d], tolerance * largest + kDenormals)
          << "head " << head << " dim " << d;
    }
  }
}

}  // namespace bitfetch

#endif  // BITFETCH_KERNELS_TEST_ATTENTION_H_
