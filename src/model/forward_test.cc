// SPDX-License-Identifier: Apache-2.0
#include "model/forward.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <random>

#include "base/temp_dir.h"
#include "base/test_random.h"
#include "model/output_head.h"
#include "model/test_model.h"

namespace bitfetch {
namespace {

// A model, and what runs it.
class Runner {
 public:
  explicit Runner(const TestModel& shape, const Kernels& kernels = *SupportedKernels().back(),
                  int threads = 2)
      : pool_(ThreadPool::Create(threads).value()) {
    const TempDir folder;
    const std::string path = folder.Path("model.gguf");
    EXPECT_TRUE(WriteTestModel(path, shape));
    model_ = std::make_unique<const Model>(Model::Load(path, /*mmap=*/false, *pool_, {}).value());
    forward_ = std::make_unique<ForwardPass>(*model_, kernels, *pool_, ForwardPrefetch{});
    head_ = std::make_unique<OutputHead>(model_->output(), kernels, *pool_);
  }

  KvCache NewCache() const {
    const ModelConfig& config = model_->config();
    return KvCache::Create({.layers = static_cast<int>(config.layers),
                            .kv_heads = static_cast<int>(config.kv_heads),
                            .head_dim = static_cast<int>(config.head_dim),
                            .types = {KvType::kQ8_0, KvType::kF16},
                            .limit = config.context,
                            .pages = PageSize::k4K})
        .value();
  }

  // The logits of the last of `tokens`, behind what the cache holds.
  std::vector<float> Run(std::span<const int> tokens, KvCache& cache) {
    std::vector<float> logits(model_->config().vocab);
    std::vector<float> state(model_->config().hidden);
    for (size_t done = 0; done < tokens.size();) {
      const auto batch =
          tokens.subspan(done, std::min<size_t>(ForwardPass::kMaxRows, tokens.size() - done));
      done += batch.size();
      const bool last = done == tokens.size();
      RowPiece piece{
          .cache = &cache, .tokens = batch, .state_rows = last ? 1 : 0, .states = state.data()};
      forward_->Run({&piece, 1});
      EXPECT_TRUE(piece.status) << piece.status.error().message;
    }
    const HeadRows rows{.x = state.data(), .logits = logits.data()};
    head_->All({&rows, 1});
    return logits;
  }

  ForwardPass& forward() { return *forward_; }

 private:
  std::unique_ptr<ThreadPool> pool_;
  std::unique_ptr<const Model> model_;
  std::unique_ptr<ForwardPass> forward_;
  std::unique_ptr<OutputHead> head_;
};

TEST(ForwardPass, ALongRunThatGrowsShrinksAndForksEqualsOneFromScratch) {
  constexpr int kGenerated = 1200;
  const TestModel shape{.layers = 2,
                        .hidden = 128,
                        .ffn = 128,
                        .heads = 2,
                        .kv_heads = 1,
                        .head_dim = 32,
                        .context = 1300};
  Runner engine(shape, *SupportedKernels().back(), /*threads=*/1);
  KvCache cache = engine.NewCache();
  std::vector<int> history = {1};
  std::vector<float> logits = engine.Run(history, cache);
  std::mt19937 random(3);
  const auto expect_as_from_scratch = [&] {
    KvCache fresh = engine.NewCache();
    EXPECT_EQ(engine.Run(history, fresh), logits) << history.size() << " tokens";
  };
  for (int generated = 0; generated < kGenerated; ++generated) {
    if (random() % 50 == 0 && history.size() > 50) {
      // Rolls back, and the token there comes anew.
      history.resize(history.size() - 1 - random() % 40);
      cache.Truncate(static_cast<int64_t>(history.size()) - 1);
      logits = engine.Run(std::span(history).last(1), cache);
    }
    if (random() % 50 == 0) {
      // Another sequence goes its own way and ends, or is the one that goes on.
      KvCache fork = cache.Fork();
      engine.Run(std::vector<int>{5, 6, 7}, fork);
      if (random() % 2 == 0) {
        fork.Truncate(static_cast<int64_t>(history.size()));
        cache = std::move(fork);
      }
    }
    const auto likeliest = std::ranges::max_element(logits) - logits.begin();
    history.push_back(static_cast<int>((likeliest + random() % 3) % shape.vocab));
    logits = engine.Run(std::span(history).last(1), cache);
    if (generated == 200 || generated == 600) expect_as_from_scratch();
  }
  EXPECT_GT(history.size(), 512u) << "two ranges of attention";
  expect_as_from_scratch();
}

TEST(ForwardPass, ShapesThatFillNoBlockHaveTheSameBitsOnEveryIsa) {
  const TestModel shape{.hidden = 192, .ffn = 320, .heads = 6, .kv_heads = 3, .head_dim = 32};
  const std::vector<int> tokens = {1, 5, 9, 40, 2};
  std::vector<float> scalar;
  for (const Kernels* kernels : SupportedKernels()) {
    for (const int threads : {1, 3}) {
      Runner engine(shape, *kernels, threads);
      KvCache cache = engine.NewCache();
      const std::vector<float> logits = engine.Run(tokens, cache);
      if (scalar.empty()) scalar = logits;
      EXPECT_EQ(logits, scalar) << IsaName(kernels->isa);
    }
  }
}

// Layers of one token then go by different plans.
TEST(ForwardPass, AWatchedPlanChangesNoBit) {
  // So many layers that the second heat goes on from one token to the next, where it can be seen.
  const TestModel shape{.layers = 14, .context = 3200};
  MachineProfile profile;  // whose caches hold nothing
  profile.l2_bytes = 1 << 10;
  profile.l3_bytes = 0;
  profile.kernels[0].gains = {{.hint = PrefetchHint::kL1, .streams = 2, .contiguous = {1.3}},
                              {.hint = PrefetchHint::kL2, .streams = 16, .contiguous = {1.2}}};
  const PrefetchAccess access{.max_streams = 16};
  const PrefetchPlan law = ChoosePrefetch(profile, access);
  int by_another = 0;
  const auto logits_with = [&](PlanWatch* watch) {
    Runner engine(shape, *SupportedKernels().back(), /*threads=*/1);
    engine.forward().SetPrefetch({.in_kernel = law, .watch = watch});
    KvCache cache = engine.NewCache();
    std::mt19937 random(1);
    constexpr int64_t kCached = 3072;
    const auto floats = RandomFloats(kCached * shape.kv_heads * shape.head_dim, random);
    for (int layer = 0; layer < shape.layers; ++layer) {
      EXPECT_TRUE(cache.Append(layer, kCached, floats.data(), floats.data()));
    }
    std::vector<float> all;
    for (int token = 0; token < 2 * PlanWatch::kMinRest / shape.layers + 4; ++token) {
      const std::vector<float> logits = engine.Run(std::vector<int>{token % 48}, cache);
      all.insert(all.end(), logits.begin(), logits.end());
      by_another += watch != nullptr && watch->plan() != law ? 1 : 0;
    }
    return all;
  };
  PlanWatch watch(profile, access);
  const std::vector<float> watched = logits_with(&watch);
  EXPECT_EQ(watched, logits_with(nullptr));
  EXPECT_GT(by_another, 0);
}

TEST(ForwardPass, WeightsMoveAsTokensAreComputedAndChangeNothing) {
  const TempDir folder;
  const std::string path = folder.Path("model.gguf");
  ASSERT_TRUE(WriteTestModel(path, {.layers = 3}));
  const auto pool = ThreadPool::Create(3).value();
  const Model model = Model::Load(path, /*mmap=*/true, *pool, {}).value();
  const Kernels& kernels = *SupportedKernels().back();
  const auto states_of = [&](int64_t from_bytes, std::optional<TernaryPacking> packing) {
    ForwardPass forward(model, kernels, *pool, ForwardPrefetch{});
    forward.MoveWeights(from_bytes, packing);
    const int64_t hidden = model.config().hidden;
    KvCache cache =
        KvCache::Create({.layers = 3, .kv_heads = 2, .head_dim = 64, .types = {}, .limit = 64})
            .value();
    std::vector<float> all;
    for (int i = 0; i < 4; ++i) {
      std::vector<float> state(hidden);
      const std::vector<int> tokens = {3 * i + 1, 5};
      RowPiece piece{.cache = &cache, .tokens = tokens, .state_rows = 1, .states = state.data()};
      forward.Run({&piece, 1});
      EXPECT_TRUE(piece.status);
      all.insert(all.end(), state.begin(), state.end());
      if (i == 1) forward.FinishMoving();
    }
    EXPECT_EQ(forward.profile().at(Stage::kMove).runs > 0, from_bytes == 0);
    return all;
  };
  constexpr int64_t kNever = int64_t{1} << 40;
  const std::vector<float> unmoved = states_of(kNever, {});
  EXPECT_EQ(states_of(0, TernaryPacking::kFours), unmoved);
  EXPECT_EQ(states_of(0, TernaryPacking::kFives), unmoved);
  EXPECT_EQ(states_of(0, {}), unmoved) << "whichever is faster";
  EXPECT_EQ(HugeWeights(model, kernels, *pool, WeightsPlans{}, kNever, {}).left(), 0);
}

TEST(ForwardPass, SaysWhatItReadAndFetched) {
  const TestModel shape{};
  Runner engine(shape, *SupportedKernels().back(), /*threads=*/1);
  KvCache cache = engine.NewCache();
  engine.Run(std::vector<int>(40, 3), cache);
  engine.forward().ResetProfile();
  const int64_t before = cache.traffic().prefetched_bytes;
  engine.Run(std::vector<int>{3}, cache);

  const StageProfile& profile = engine.forward().profile();
  const int64_t q = shape.heads * shape.head_dim, kv = shape.kv_heads * shape.head_dim;
  EXPECT_EQ(profile.at(Stage::kQkv).bytes, shape.layers * shape.hidden * (q + 2 * kv) / 4);
  EXPECT_EQ(profile.at(Stage::kGateUp).bytes, shape.layers * shape.hidden * shape.ffn * 2 / 4);
  const int64_t kv_bytes = static_cast<int64_t>(cache.View(0)->read_bytes()) * shape.layers;
  EXPECT_EQ(profile.at(Stage::kAttention).bytes, kv_bytes);
  for (size_t i = 0; i < kStages; ++i) {
    if (static_cast<Stage>(i) == Stage::kMove) continue;
    EXPECT_GT(profile.at(static_cast<Stage>(i)).runs, 0) << StageName(static_cast<Stage>(i));
  }
  EXPECT_EQ(cache.traffic().prefetched_bytes, before + kv_bytes);

  engine.forward().SetPrefetch({.in_kernel = {}, .ahead = false});
  const int64_t between = cache.traffic().prefetched_bytes;
  engine.Run(std::vector<int>{3}, cache);
  EXPECT_EQ(cache.traffic().prefetched_bytes, between);
}

}  // namespace
}  // namespace bitfetch
