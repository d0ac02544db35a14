// SPDX-License-Identifier: Apache-2.0
#include "kernels/attention.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>
#include <utility>
#include <vector>

#include "kernels/exp2.h"
#include "kernels/test_attention.h"

namespace bitfetch {
namespace {

PrefetchPlan Ahead(int64_t distance, int streams = 4, PrefetchHint hint = PrefetchHint::kL1) {
  return {.on = distance > 0, .distance_bytes = distance, .streams = streams, .hint = hint};
}

TEST(Attention, GivesTheSameBitsOnEveryIsa) {
  std::vector<KvTypes> all = kFloatTypes;
  all.insert(all.end(), kCodeTypes.begin(), kCodeTypes.end());
  for (const Shape shape : kShapes) {
    for (const KvTypes types : all) {
      if (shape.head_dim % std::max(KvDimStep(types.k), KvDimStep(types.v)) != 0) continue;
      for (const int64_t tokens : {1, 17, 90, 333}) {
        const Case c(RandomInput(shape, tokens, 1.0f, 3), types, BlockPlacement::kShuffled);
        const auto want = RunLast(c, 1, {});
        for (const Kernels* kernels : SupportedKernels()) {
          for (const PrefetchPlan& plan :
               {Ahead(0), Ahead(64, 1), Ahead(4096), Ahead(65536, 8, PrefetchHint::kL2),
                Ahead(1048576, 16, PrefetchHint::kL2)}) {
            if (kernels->isa == Isa::kScalar && plan.distance_bytes != 4096) continue;  // slow
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
  std::vector<KvTypes> all = kFloatTypes;
  all.insert(all.end(), {kQ8, kQ4});
  for (const KvTypes types : all) {
    const int head_dim = IsQuantized(types.k) ? 32 : 48;
    const Case c(RandomInput({1, 3, head_dim}, kTokens, 1.0f, 7), types, BlockPlacement::kShuffled);
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
  constexpr int64_t kLast = 40;
  const Input input = RandomInput({2, 3, 32}, 2 * kRangeTokens + 20, 1.0f, 4);
  for (const KvTypes types : {kF16, kQ8, kQ4}) {
    const Case contiguous(input, types);
    const Case shuffled(input, types, BlockPlacement::kShuffled);
    const auto want = RunLast(contiguous, kLast, {.kernels = SupportedKernels().back()});
    for (const Case* c : {&contiguous, &shuffled}) {
      for (const int threads : {1, 2, 5}) {
        for (const int64_t batch : {1, 7, 33, 40}) {
          const Setting run{.kernels = SupportedKernels().back(),
                            .threads = threads,
                            .batch = batch,
                            .prefetch = Ahead(4096)};
          EXPECT_TRUE(SameBits(RunLast(*c, kLast, run), want))
              << KvTypesName(types) << " " << threads << " threads, batches of " << batch;
        }
      }
    }
  }
}

// Writes codes to one part of a tile, with scales of 1.
template <class NextCode>
void FillCodes(std::byte* part, size_t scales_bytes, size_t bytes, const NextCode& next_code) {
  const uint16_t one = 0x3c00;
  for (size_t i = 0; i < scales_bytes; i += sizeof(one)) std::memcpy(part + i, &one, sizeof(one));
  for (size_t i = scales_bytes; i < bytes; ++i) part[i] = next_code();
}

// Also of -128, which no cache stores, where all sums are as large as they can be.
TEST(Attention, OfAnyCodesGivesTheSameBitsOnEveryIsa) {
  std::mt19937 random(5);
  const auto lowest = [] { return std::byte{0x80}; };
  const auto any = [&] { return static_cast<std::byte>(random()); };
  for (const KvTypes types : {kQ8, kQ4}) {
    for (const bool largest : {true, false}) {
      Input input = RandomInput({1, 4, 64}, 200, 0.1f, 8);
      if (largest) std::fill(input.queries.begin(), input.queries.end(), 0.1f);
      const Case c(std::move(input), types);
      const KvView view = *c.cache.View(0);
      const KvLayout& layout = view.layout;
      for (int64_t tile = 0; tile * kTileTokens < view.length; ++tile) {
        auto* k = const_cast<std::byte*>(view.Block(tile));
        std::byte* v = k + layout.k_tile_bytes();
        const auto fill = [&](const auto& next_code) {
          FillCodes(k, layout.k_scales_bytes(), layout.k_tile_bytes(), next_code);
          FillCodes(v, layout.v_scales_bytes(), layout.v_tile_bytes(), next_code);
        };
        if (largest) {
          fill(lowest);
        } else {
          fill(any);
        }
      }
      const auto want = RunLast(c, 3, {.batch = 3});
      for (const Kernels* kernels : SupportedKernels()) {
        EXPECT_TRUE(SameBits(RunLast(c, 3, {.kernels = kernels, .batch = 3}), want))
            << IsaName(kernels->isa) << " " << KvTypesName(types) << (largest ? " largest" : "");
      }
    }
  }
}

TEST(Attention, GivesZerosWhereNothingIsSeen) {
  const Case c(RandomInput({2, 4, 64}, 1, 1.0f, 6), kF16);
  const auto pool = ThreadPool::Create(2).value();
  const std::vector<float> queries(size_t{3} * 8 * 64, 1.0f);
  for (const Kernels* kernels : SupportedKernels()) {
    Attention attention(*kernels, *pool);
    KvCache cache = c.cache.Fork();
    std::vector<float> out(queries.size(), 1.0f);
    // Three tokens that end with the only one stored: the first two come before everything.
    const auto run = [&](int64_t rows) {
      const AttendSlice slice{
          .kv = *cache.View(0), .rows = rows, .queries = queries.data(), .out = out.data()};
      attention.Run({&slice, 1}, 4, Ahead(4096));
    };
    run(3);
    EXPECT_EQ(std::vector<float>(out.begin(), out.begin() + 2 * 8 * 64),
              std::vector<float>(2 * 8 * 64, 0.0f));
    EXPECT_NE(out.back(), 0.0f);
    cache.Clear();
    run(1);
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
