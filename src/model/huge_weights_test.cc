// SPDX-License-Identifier: Apache-2.0
#include "model/huge_weights.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <variant>

#include "base/temp_dir.h"
#include "kernels/ternary_fives.h"
#include "machine/clock.h"
#include "model/test_model.h"

namespace bitfetch {
namespace {

constexpr WeightsPlans kPlans = {.fours_4k = {.on = true, .distance_bytes = 64},
                                 .fours = {.on = true, .distance_bytes = 128},
                                 .fives = {.on = true, .distance_bytes = 192}};

TEST(HugeWeights, MovesMatrixByMatrix) {
  const TempDir folder;
  const std::string path = folder.Path("model.gguf");
  ASSERT_TRUE(WriteTestModel(path, {.layers = 1}));
  const auto pool = ThreadPool::Create(3).value();
  const Model model = Model::Load(path, /*mmap=*/true, *pool, {}).value();
  const LayerPlan& layer = model.layers()[0];
  const auto& first = std::get<TernaryMatrix>(layer.attn_q.weights);
  const auto& second = std::get<TernaryMatrix>(layer.attn_k.weights);
  const auto& down = std::get<TernaryMatrix>(layer.ffn_down.weights);

  HugeWeights fours(model, *SupportedKernels().back(), *pool, kPlans, 0, TernaryPacking::kFours);
  EXPECT_EQ(fours.Rows(first).codes, first.codes);
  const int64_t left = fours.left();
  EXPECT_EQ(fours.Move(1), first.bytes());
  EXPECT_EQ(fours.left(), left - first.bytes());
  EXPECT_NE(fours.Rows(first).codes, first.codes);
  EXPECT_EQ(std::memcmp(fours.Rows(first).codes, first.codes, first.bytes()), 0);
  EXPECT_EQ(fours.Rows(second).codes, second.codes);
  EXPECT_EQ(fours.Rows(first).prefetch, kPlans.fours);
  EXPECT_EQ(fours.Rows(second).prefetch, kPlans.fours_4k);

  HugeWeights fives(model, *SupportedKernels().back(), *pool, kPlans, 0, TernaryPacking::kFives);
  EXPECT_EQ(fives.Move(left), left);
  EXPECT_EQ(fives.left(), 0);
  const TernaryRows packed = fives.Rows(down);
  EXPECT_EQ(packed.packing, TernaryPacking::kFives);
  EXPECT_EQ(packed.prefetch, kPlans.fives);
  EXPECT_EQ(packed.scale, down.scale);
  EXPECT_EQ(packed.bytes(), (down.rows + 4) / 5 * down.cols);
  for (int64_t row = 0; row < down.rows; ++row) {
    for (int64_t col = 0; col < down.cols; ++col) {
      const uint8_t byte = packed.codes[row / 5 * packed.row_bytes + col];
      ASSERT_EQ(FiveCode(byte, row % 5), down.Code(row, col));
    }
  }
}

// Kernels that take their time over one packing.
template <TernaryPacking kSlow>
Kernels SlowWith() {
  Kernels kernels = *SupportedKernels().front();
  kernels.ternary_matmul = [](const TernaryRows& w, int64_t, int64_t, const QuantizedRows&, float*,
                              int64_t) {
    const double end = NowNs() + (w.packing == kSlow ? 1e5 : 0);
    while (NowNs() < end) {
    }
  };
  return kernels;
}

TEST(HugeWeights, TakesTheFasterPacking) {
  const TempDir folder;
  const std::string path = folder.Path("model.gguf");
  ASSERT_TRUE(WriteTestModel(path, {.layers = 1}));
  const auto pool = ThreadPool::Create(2).value();
  const Model model = Model::Load(path, /*mmap=*/true, *pool, {}).value();
  const auto& first = std::get<TernaryMatrix>(model.layers()[0].attn_q.weights);

  const Kernels slow_fives = SlowWith<TernaryPacking::kFives>();
  HugeWeights fours(model, slow_fives, *pool, kPlans, 0, {});
  fours.Move(fours.left());
  EXPECT_EQ(fours.left(), 0);
  EXPECT_EQ(fours.Rows(first).packing, TernaryPacking::kFours);

  const Kernels slow_fours = SlowWith<TernaryPacking::kFours>();
  HugeWeights fives(model, slow_fours, *pool, kPlans, 0, {});
  const int64_t left = fives.left();
  EXPECT_EQ(fives.Move(left), left);
  EXPECT_EQ(fives.left(), left) << "all again";
  EXPECT_EQ(fives.Rows(first).codes, first.codes);
  EXPECT_EQ(fives.Move(left), left);
  EXPECT_EQ(fives.left(), 0);
  EXPECT_EQ(fives.Rows(first).packing, TernaryPacking::kFives);
}

}  // namespace
}  // namespace bitfetch
