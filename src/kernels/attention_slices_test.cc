// SPDX-License-Identifier: Apache-2.0
// Rows of many sequences in one pass against each row alone.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include "base/test_effort.h"
#include "base/test_random.h"
#include "kernels/test_attention.h"

namespace bitfetch {
namespace {

// Up to 32 sequences, some of them forks of others at any token, each with some rows.
class Mix {
 public:
  Mix(Shape shape, KvTypes types, uint32_t seed)
      : shape_(shape),
        random_(seed),
        row_floats_(int64_t{shape.kv_heads} * shape.group * shape.head_dim) {
    const int64_t count = int64_t{1} << Uniform(0, 5);
    for (int64_t i = 0; i < count; ++i) {
      Add(types, i == 0 ? 0 : Uniform(0, 3));
      rows_.push_back(Uniform(0, 3) > 0 ? 1 : Uniform(1, Uniform(0, 1) > 0 ? 16 : 64));
    }
    int64_t rows = 0;
    for (const int64_t each : rows_) rows += each;
    queries_ = RandomFloats(rows * row_floats_, random_);
  }

  std::vector<float> Together(const Kernels& kernels, ThreadPool& pool,
                              const PrefetchPlan& plan) const {
    std::vector<float> out(queries_.size(), NAN);
    Attention attention(kernels, pool);
    std::vector<AttendSlice> slices;
    for (size_t i = 0, at = 0; i < caches_.size(); at += rows_[i++] * row_floats_) {
      slices.push_back({*caches_[i].View(0), rows_[i], &queries_[at], &out[at]});
    }
    // Twice, so that what the first run left does not matter.
    attention.Run(std::span(slices).first(1), shape_.group, plan);
    attention.Run(slices, shape_.group, plan);
    return out;
  }

  std::vector<float> Alone(const Kernels& kernels) const {
    const auto pool = ThreadPool::Create(1).value();
    std::vector<float> out(queries_.size(), NAN);
    Attention attention(kernels, *pool);
    size_t at = 0;
    for (size_t i = 0; i < caches_.size(); ++i) {
      for (int64_t row = 0; row < rows_[i]; ++row, at += row_floats_) {
        KvView kv = *caches_[i].View(0);
        kv.length = std::max<int64_t>(kv.length - rows_[i] + row + 1, 0);
        const AttendSlice slice{.kv = kv, .queries = &queries_[at], .out = &out[at]};
        attention.Run({&slice, 1}, shape_.group, {});
      }
    }
    return out;
  }

 private:
  int64_t Uniform(int64_t min, int64_t max) {
    return std::uniform_int_distribution<int64_t>(min, max)(random_);
  }

  void Add(KvTypes types, int64_t kind) {
    if (kind == 0) {
      caches_.push_back(KvCache::Create({.layers = 1,
                                         .kv_heads = shape_.kv_heads,
                                         .head_dim = shape_.head_dim,
                                         .types = types,
                                         .limit = 40'000,
                                         .pages = PageSize::k4K,
                                         .placement = BlockPlacement::kShuffled})
                            .value());
    } else {
      const KvCache& from = caches_[Uniform(0, static_cast<int64_t>(caches_.size()) - 1)];
      KvCache fork = from.Fork();
      if (kind == 1) fork.Truncate(Uniform(0, fork.length()));
      caches_.push_back(std::move(fork));
    }
    const int64_t tokens = Uniform(0, 2) > 0 ? Uniform(0, 40) : Uniform(0, 600);
    const auto floats = RandomFloats(tokens * shape_.kv_heads * shape_.head_dim, random_);
    EXPECT_TRUE(caches_.back().Append(0, tokens, floats.data(), floats.data()));
  }

  Shape shape_;
  std::mt19937 random_;
  int64_t row_floats_;
  std::vector<KvCache> caches_;
  std::vector<int64_t> rows_;
  std::vector<float> queries_;
};

TEST(AttentionSlices, EachRowHasTheBitsThatItHasAlone) {
  uint32_t seed = 0;
  for (const KvTypes types : {kF32, kF16, {KvType::kBF16, KvType::kBF16}, kQ8, kQ4}) {
    for (const Shape shape : {Shape{2, 3, 32}, Shape{5, 4, 32}, Shape{3, 1, 64}}) {
      const Mix mix(shape, types, ++seed);
      const auto want = mix.Alone(*SupportedKernels().back());
      for (const Kernels* kernels : SupportedKernels()) {
        for (const int threads : {1, 2, 5}) {
          if ((kIsSlow || kernels->isa == Isa::kScalar) && threads != 5) continue;
          const auto pool = ThreadPool::Create(threads).value();
          const PrefetchPlan plan{.on = true, .distance_bytes = 4096, .streams = 4};
          EXPECT_TRUE(SameBits(mix.Together(*kernels, *pool, plan), want))
              << IsaName(kernels->isa) << " " << KvTypesName(types) << ", " << threads
              << " threads, mix " << seed;
        }
      }
    }
  }
}

// What TSan runs, slowly.
TEST(AttentionSlices, AnyThreadsGiveTheSameBits) {
  const Mix mix({2, 3, 32}, kF16, 5);
  const Kernels& kernels = *SupportedKernels().back();
  const auto want = mix.Alone(kernels);
  // And a row that reads so much that its threads take shares of it.
  const Case row(RandomInput({2, 3, 32}, 20 * kRangeTokens + 5, 1.0f, 6), kF16);
  const auto want_of_row = RunLast(row, 1, {.kernels = &kernels});
  for (const int threads : {2, 3, 7, 64}) {
    const auto pool = ThreadPool::Create(threads).value();
    EXPECT_TRUE(SameBits(mix.Together(kernels, *pool, {}), want)) << threads << " threads";
    EXPECT_TRUE(SameBits(RunLast(row, 1, {.kernels = &kernels}, *pool), want_of_row)) << threads;
  }
}

TEST(AttentionSlices, TellsWhereThreadsBeginToRead) {
  const std::vector<uint32_t> blocks(512);
  const KvView kv{{5, 128}, nullptr, 0, blocks.data(), 8192};
  const auto pool = ThreadPool::Create(2).value();
  Attention attention(*SupportedKernels().back(), *pool);
  const AttendSlice one{.kv = kv};
  // All that is stored in front of the row: what it is itself may not be there yet.
  const auto shares = attention.FirstShares({&one, 1}, 4);
  ASSERT_EQ(shares.size(), 2u);
  EXPECT_EQ(shares[0].begin, 0);
  EXPECT_EQ(shares[0].end, 1024);
  EXPECT_EQ(shares[1].begin, 1024);
  EXPECT_EQ(shares[1].end, 2048);
  const AttendSlice few{.kv = {{5, 128}, nullptr, 0, blocks.data(), 1024}};
  const auto halves = attention.FirstShares({&few, 1}, 4);
  EXPECT_EQ(halves[1].begin, 512);
  EXPECT_EQ(halves[1].end, 1023);
  // Another sequence, in a pool of its own.
  std::vector<AttendSlice> two(2, one);
  const std::byte arena{};
  two[1].kv.arena = &arena;
  for (AttendSlice& slice : two) slice.kv.length = 512;
  const auto each = attention.FirstShares(two, 4);
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(each[i].slice, i);
    EXPECT_EQ(each[i].begin, 0);
    EXPECT_EQ(each[i].end, 511);
  }
}

TEST(AttentionSlices, GivesZerosWhereNothingIsStored) {
  const auto pool = ThreadPool::Create(2).value();
  for (const int64_t rows : {1, 20}) {
    Attention attention(*SupportedKernels().back(), *pool);
    const std::vector<float> queries(rows * 64, 1.0f);
    std::vector<float> out(rows * 64, NAN);
    const AttendSlice slice{.kv = {{2, 32}}, .rows = rows, .queries = &queries[0], .out = &out[0]};
    attention.Run({&slice, 1}, 1, {});
    EXPECT_EQ(out, std::vector<float>(rows * 64));
  }
}

}  // namespace
}  // namespace bitfetch
