// SPDX-License-Identifier: Apache-2.0
#include "model/output_head.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "base/float16.h"
#include "base/test_random.h"

namespace bitfetch {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// A head of any type, with one of the vectors that it meets.
struct Case {
  std::string name;
  int64_t hidden;
  std::vector<float> weights;  // [vocab][hidden]
  std::vector<float> x;
};

std::vector<Case> Cases() {
  std::mt19937 random(23);
  std::vector<Case> cases;
  const auto add = [&](const std::string& name, int64_t hidden, std::vector<float> weights,
                       std::vector<float> x) {
    cases.push_back({name, hidden, std::move(weights), std::move(x)});
  };
  for (const int64_t hidden : {1, 16, 64, 100, 320, 2560}) {
    const int64_t vocab = 1 + static_cast<int64_t>(random() % 700);
    add(fmt::format("random {}", hidden), hidden, RandomFloats(vocab * hidden, random),
        RandomFloats(hidden, random));
  }

  const int64_t vocab = 300;
  const int64_t hidden = 128;
  const auto random_head = [&] { return RandomFloats(vocab * hidden, random, 0.1f); };
  const auto random_x = [&](float scale = 1) { return RandomFloats(hidden, random, scale); };

  auto x = random_x();
  auto weights = random_head();
  for (int64_t i = hidden; i < vocab * hidden; ++i) weights[i] = weights[i % hidden];
  add("all rows equal", hidden, weights, x);

  weights = random_head();
  for (int64_t r = 0; r < vocab; ++r) {
    std::copy_n(weights.begin() + r % 7 * hidden, hidden, weights.begin() + r * hidden);
  }
  add("ties", hidden, weights, x);

  // Rows that differ from the best by a place or two of a single weight.
  weights = random_head();
  for (int64_t r = 0; r < vocab; ++r) {
    std::copy_n(x.begin(), hidden, weights.begin() + r * hidden);
    weights[r * hidden + static_cast<int64_t>(random() % hidden)] *=
        1 + static_cast<float>(random() % 5) * 0x1p-9f;
  }
  add("near-ties", hidden, weights, x);

  // Residuals of almost half a step, all of them along x or against it: the bound is met.
  for (float& value : x) value = value > 0 ? 1.0f : -1.0f;
  for (const auto& level : kScreenLevels) {
    for (int64_t r = 0; r < vocab; ++r) {
      weights[r * hidden] = 128;
      for (int64_t c = 1; c < hidden; ++c) {
        const auto cut = static_cast<int>(random() % 256) / level.unit * level.unit - 128;
        const float residual = (r % 2 == 0 ? 0.4999f : -0.4999f) * x[c];
        weights[r * hidden + c] =
            static_cast<float>(cut) + static_cast<float>(level.unit) * (0.5f + residual);
      }
    }
    add(fmt::format("residuals along x of steps of {}", level.unit), hidden, weights, x);
  }

  x = random_x();
  x[77] = 1e6f;
  add("an outlier in x", hidden, random_head(), x);
  weights = random_head();
  weights[100 * hidden + 3] = 1e4f;
  add("an outlier in a row", hidden, weights, random_x());
  add("tiny x", hidden, random_head(), random_x(1e-42f));
  add("small x", hidden, random_head(), random_x(1e-20f));
  add("large x", hidden, random_head(), random_x(1e30f));
  add("x of zeros", hidden, random_head(), std::vector<float>(hidden));
  add("a head of zeros", hidden, std::vector<float>(vocab * hidden), random_x());
  add("x of ones", hidden, random_head(), std::vector<float>(hidden, 1.0f));
  weights.assign(20 * 2560, 1.0f);
  for (int64_t i = 0; i < 20 * 2560; ++i) weights[i] = (i / 2560) % 2 == 0 ? 1.0f : -1.0f;
  add("the largest integers", 2560, weights, std::vector<float>(2560, -3.0f));
  // Each partial sum passes 2^24, and then loses every 1 that is added.
  x.assign(2560, 1.0f);
  std::fill_n(x.begin(), 96, 32767.0f);
  weights.assign(20 * 2560, 1.0f);
  for (int64_t r = 0; r < 20; ++r) std::fill_n(weights.begin() + r * 2560, 96, 127.0f);
  add("sums that lose what is small", 2560, weights, x);
  add("products that underflow", hidden, std::vector<float>(vocab * hidden, 0.4f),
      std::vector<float>(hidden, 1e-45f));
  // All that is off comes from activations that are rounded one way.
  weights.assign(20 * 2560, 127.5f);
  for (int64_t r = 0; r < 20; ++r) weights[r * 2560 + 1] = 128.0f;
  x.assign(2560, 0.49f);
  x[0] = 127 * 256;
  add("activations rounded down", 2560, weights, x);
  weights = random_head();
  for (int64_t r = 0; r < vocab; r += 3) {
    std::fill_n(weights.begin() + r * hidden, hidden, r % 2 == 0 ? 0.0f : 6e-8f);
  }
  add("rows of zeros and of denormals", hidden, weights, random_x());
  add("tiny weights", hidden, RandomFloats(vocab * hidden, random, 1e-40f), random_x());
  add("tiny weights, large x", hidden, RandomFloats(vocab * hidden, random, 1e-33f),
      random_x(1e30f));
  add("huge weights", hidden, RandomFloats(vocab * hidden, random, 1e30f), random_x());
  add("logits near overflow", hidden, RandomFloats(vocab * hidden, random, 1e18f), random_x(1e18f));
  // Of which a thread bounds more than it can at once.
  const int64_t many = 7 * HeadScreen::kMaxRows + 7;
  add("many rows", 16, RandomFloats(many * 16, random), RandomFloats(16, random));
  add("one row above all", hidden, random_head(), random_x());
  std::copy_n(cases.back().x.begin(), hidden, cases.back().weights.begin() + 111 * hidden);
  return cases;
}

// Calls check(name, tensor, x, pool) for every case in every type that gets a screen.
void ForAllHeads(const std::function<void(const std::string&, const GgufTensor&, const float*,
                                          ThreadPool&)>& check) {
  const auto pool = ThreadPool::Create(3).value();
  for (const Case& c : Cases()) {
    for (const TensorType type : {TensorType::kF32, TensorType::kF16, TensorType::kBF16}) {
      std::vector<std::byte> data(TensorBytes(type, static_cast<int64_t>(c.weights.size())));
      for (size_t i = 0; i < c.weights.size(); ++i) {
        const uint16_t half =
            type == TensorType::kF16 ? F32ToF16(c.weights[i]) : F32ToBF16(c.weights[i]);
        if (type == TensorType::kF32) std::memcpy(data.data() + 4 * i, &c.weights[i], 4);
        if (type != TensorType::kF32) std::memcpy(data.data() + 2 * i, &half, 2);
      }
      const auto elements = static_cast<int64_t>(c.weights.size());
      const GgufTensor tensor{
          "output.weight", type, {c.hidden, elements / c.hidden, 1, 1}, elements, data};
      const std::string name = fmt::format("{}, {}", c.name, TensorTypeName(type));
      SCOPED_TRACE(name);
      check(name, tensor, c.x.data(), *pool);
    }
  }
}

HeadScreen Build(const GgufTensor& tensor, const Kernels& kernels, ThreadPool& pool) {
  return HeadScreen::Build(tensor, kernels, pool, {}).value();
}

std::vector<float> AllLogits(const GgufTensor& tensor, const float* x, ThreadPool& pool) {
  std::vector<float> logits(tensor.rows());
  const HeadRows rows{.x = x, .logits = logits.data()};
  OutputHead(tensor, *SupportedKernels().back(), pool).All({&rows, 1});
  return logits;
}

// A token's bounds for all rows, on one level.
struct Bounds {
  Bounds(const HeadScreen& screen, const Kernels& kernels, const HeadScreen::Input& input,
         int64_t rows, int level)
      : sums(rows), value(rows), upper(rows) {
    // Pieces of any size will do, some of more than a mask's bits.
    for (int64_t begin = 0, count; begin < rows; begin += count) {
      count = std::min<int64_t>(begin % 3 == 0 ? 40 : 150, rows - begin);
      const HeadScreen::Token token{&input, sums.data() + begin, value.data() + begin,
                                    upper.data() + begin};
      screen.Bounds(kernels, begin, begin + count, {&token, 1});
      for (int finer = 1; finer <= level; ++finer) {
        // Some alone and some in runs.
        std::array<uint64_t, HeadScreen::kMaxRows / HeadScreen::kMaskRows> some = {}, others = {};
        for (int64_t row = 0; row < count; ++row) {
          const bool one = (0x5a5a0f7f31 >> row % 40 & 1) != 0;
          (one ? some : others)[row / HeadScreen::kMaskRows] |= uint64_t{1}
                                                                << row % HeadScreen::kMaskRows;
        }
        screen.Refine(kernels, finer, begin, some, token);
        screen.Refine(kernels, finer, begin, others, token);
      }
    }
  }
  std::vector<double> sums;
  std::vector<double> value;
  std::vector<double> upper;
};

TEST(HeadScreen, BoundsHoldAndAreTheSameOnEveryIsa) {
  int screened = 0;
  ForAllHeads([&](const std::string&, const GgufTensor& tensor, const float* x, ThreadPool& pool) {
    const std::vector<float> logits = AllLogits(tensor, x, pool);
    for (int level = 0; level < kScreenLevelCount; ++level) {
      std::vector<double> first_upper;
      for (const Kernels* kernels : SupportedKernels()) {
        const HeadScreen screen = Build(tensor, *kernels, pool);
        HeadScreen::Input input;
        if (!screen.Prepare(x, &input)) continue;
        ++screened;
        const Bounds bounds(screen, *kernels, input, tensor.rows(), level);
        for (size_t r = 0; r < logits.size(); ++r) {
          ASSERT_LE(std::fabs(logits[r] - bounds.value[r]), bounds.upper[r] - bounds.value[r])
              << "row " << r << " on level " << level;
        }
        if (first_upper.empty()) first_upper = bounds.upper;
        EXPECT_EQ(bounds.upper, first_upper);
      }
    }
  });
  EXPECT_GT(screened, 450);
}

// Bounds that always hold could be as wide as the world.
TEST(HeadScreen, BoundsAreNarrow) {
  std::mt19937 random(1);
  const int64_t vocab = 1000;
  const int64_t hidden = 2560;
  const auto weights = RandomFloats(vocab * hidden, random);
  const auto x = RandomFloats(hidden, random);
  const GgufTensor tensor{"output.weight",
                          TensorType::kF32,
                          {hidden, vocab, 1, 1},
                          vocab * hidden,
                          std::as_bytes(std::span(weights))};
  const auto pool = ThreadPool::Create(2).value();
  const Kernels& kernels = *SupportedKernels().back();
  const HeadScreen screen = Build(tensor, kernels, *pool);
  HeadScreen::Input input;
  ASSERT_TRUE(screen.Prepare(x.data(), &input));
  // Evenly spread over a step of max / 8, which of a row of 2560 is some 3.5 / 8, the error of four
  // bits has a norm of 0.13 times the row's, and each two bits more make it a quarter.
  for (int level = 0; level < kScreenLevelCount; ++level) {
    const Bounds bounds(screen, kernels, input, vocab, level);
    for (int64_t r = 0; r < vocab; ++r) {
      EXPECT_LT(bounds.upper[r] - bounds.value[r], 0.18 * std::pow(0.25, level) * hidden) << r;
    }
  }
}

TEST(HeadScreen, RefusesRowsThatAreNotFiniteByNumber) {
  const auto pool = ThreadPool::Create(4).value();
  for (const float bad :
       {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
    std::vector<float> weights(1000 * 40);
    weights[777 * 40 + 5] = bad;
    weights[333 * 40 + 38] = bad;
    const GgufTensor tensor{"output.weight",
                            TensorType::kF32,
                            {40, 1000, 1, 1},
                            40000,
                            std::as_bytes(std::span(weights))};
    for (const Kernels* kernels : SupportedKernels()) {
      const auto screen = HeadScreen::Build(tensor, *kernels, *pool, {});
      ASSERT_FALSE(screen);
      EXPECT_EQ(screen.error().message, "tensor output.weight is damaged: row 333 is not finite");
    }
  }
}

TEST(HeadScreen, SaysNothingOfAnInputThatIsNotFinite) {
  const auto pool = ThreadPool::Create(1).value();
  const std::vector<float> weights(64 * 10, 1.0f);
  const GgufTensor tensor{
      "output.weight", TensorType::kF32, {64, 10, 1, 1}, 640, std::as_bytes(std::span(weights))};
  const HeadScreen screen = Build(tensor, *SupportedKernels().back(), *pool);
  HeadScreen::Input input;
  for (const float bad :
       {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN(), 1e38f}) {
    std::vector<float> x(64, 1.0f);
    EXPECT_TRUE(screen.Prepare(x.data(), &input));
    x[9] = bad;
    EXPECT_FALSE(screen.Prepare(x.data(), &input)) << bad;
  }
}

void Ask(OutputHead& head, const float* x, const LogitsWanted& wanted, std::vector<Logit>* got) {
  const HeadQuery query{.x = x, .wanted = wanted, .logits = got};
  head.Wanted({&query, 1});
}

// What LogitsWanted says, from all logits.
std::vector<int> Definition(const std::vector<float>& logits, const LogitsWanted& wanted) {
  const auto always = [&](int id) { return std::ranges::count(wanted.always, id) > 0; };
  std::vector<double> others;
  for (int id = 0; id < static_cast<int>(logits.size()); ++id) {
    if (!always(id)) others.push_back(logits[id]);
  }
  std::ranges::sort(others, std::greater());
  double min = -kInfinity;
  if (wanted.top > 0 && static_cast<size_t>(wanted.top) <= others.size()) {
    min = others[wanted.top - 1] - wanted.margin;
  }
  std::vector<int> ids;
  for (int id = 0; id < static_cast<int>(logits.size()); ++id) {
    if (logits[id] >= min || always(id)) ids.push_back(id);
  }
  return ids;
}

TEST(OutputHead, GivesWhatIsWantedWithTheBitsOfTheFullHead) {
  std::mt19937 random(2);
  const float kSpan = 3.0f;
  ForAllHeads([&](const std::string&, const GgufTensor& tensor, const float* x, ThreadPool& pool) {
    const std::vector<float> logits = AllLogits(tensor, x, pool);
    const auto vocab = static_cast<int>(logits.size());
    std::vector<LogitsWanted> all_wanted = {{},
                                            {.top = 1},
                                            {.top = 1, .margin = kSpan},
                                            {.top = 5},
                                            {.top = 40, .margin = 0.1},
                                            {.top = vocab - 1},
                                            {.top = vocab},
                                            {.top = 100000}};
    for (const int count : {1, 10, vocab}) {
      LogitsWanted wanted{.top = 2};
      for (int i = 0; i < count; ++i) wanted.always.push_back(static_cast<int>(random() % vocab));
      wanted.always.push_back(vocab + 3);  // which there is not
      // The best one too.
      wanted.always.push_back(static_cast<int>(std::ranges::max_element(logits) - logits.begin()));
      std::ranges::sort(wanted.always);
      wanted.always.erase(std::unique(wanted.always.begin(), wanted.always.end()),
                          wanted.always.end());
      all_wanted.push_back(wanted);
    }
    for (const Kernels* kernels : SupportedKernels()) {
      if (kernels->isa == Isa::kScalar && tensor.cols() > 1000) continue;  // slow
      OutputHead full(tensor, *kernels, pool);
      OutputHead head(tensor, *kernels, pool);
      head.SetScreen(std::make_shared<const HeadScreen>(Build(tensor, *kernels, pool)));
      for (const LogitsWanted& wanted : all_wanted) {
        for (OutputHead* any : {&full, &head}) {
          std::vector<Logit> got;
          Ask(*any, x, wanted, &got);
          EXPECT_EQ(any->rows_computed(), static_cast<int64_t>(got.size()));
          size_t next = 0;
          const std::vector<int> ids = Definition(logits, wanted);
          for (size_t i = 0; i < got.size(); ++i) {
            ASSERT_TRUE(i == 0 || got[i - 1].id < got[i].id);
            ASSERT_EQ(std::bit_cast<uint32_t>(got[i].value),
                      std::bit_cast<uint32_t>(logits[got[i].id]))
                << "id " << got[i].id;
            if (next < ids.size() && got[i].id == ids[next]) ++next;
          }
          ASSERT_EQ(next, ids.size()) << "top " << wanted.top << ", margin " << wanted.margin;
        }
      }
    }
  });
}

TEST(OutputHead, ComputesFewRowsWhereOneIsFarAboveTheOthers) {
  ForAllHeads(
      [&](const std::string& name, const GgufTensor& tensor, const float* x, ThreadPool& pool) {
        if (!name.starts_with("one row above all")) return;
        const Kernels& kernels = *SupportedKernels().back();
        OutputHead head(tensor, kernels, pool);
        std::vector<Logit> got;
        Ask(head, x, {.top = 1}, &got);
        EXPECT_EQ(got.size(), 300u);
        head.SetScreen(std::make_shared<const HeadScreen>(Build(tensor, kernels, pool)));
        Ask(head, x, {.top = 1}, &got);
        ASSERT_EQ(got.size(), 1u);
        EXPECT_EQ(got[0].id, 111);
        EXPECT_EQ(head.rows_computed(), 1);
        Ask(head, x, {.top = 1, .always = {0, 299}}, &got);
        EXPECT_EQ(got.size(), 3u);
      });
}

TEST(OutputHead, AnswersManyQueriesAsEachAlone) {
  ForAllHeads([&](const std::string& name, const GgufTensor& tensor, const float* x,
                  ThreadPool& pool) {
    const Kernels& kernels = *SupportedKernels().back();
    OutputHead head(tensor, kernels, pool);
    if (DenseRowsOf(tensor)) {
      head.SetScreen(std::make_shared<const HeadScreen>(Build(tensor, kernels, pool)));
    }
    constexpr size_t kQueries = 2 * OutputHead::kScreenedTogether + 3;
    std::vector<std::vector<float>> inputs(kQueries, std::vector<float>(x, x + tensor.cols()));
    std::vector<std::vector<Logit>> together(kQueries);
    std::vector<HeadQuery> queries;
    for (size_t i = 0; i < kQueries; ++i) {
      inputs[i][i % inputs[i].size()] += 0.25f * static_cast<float>(i);
      queries.push_back({.x = inputs[i].data(),
                         .wanted = {.top = static_cast<int64_t>(i % 5)},  // 0: all
                         .logits = &together[i]});
    }
    head.Wanted(queries);
    for (size_t i = 0; i < kQueries; ++i) {
      std::vector<Logit> alone;
      Ask(head, queries[i].x, queries[i].wanted, &alone);
      ASSERT_EQ(together[i].size(), alone.size()) << name;
      for (size_t l = 0; l < alone.size(); ++l) {
        ASSERT_EQ(together[i][l].id, alone[l].id) << name;
        ASSERT_EQ(std::memcmp(&together[i][l].value, &alone[l].value, sizeof(float)), 0) << name;
      }
    }
  });
}

}  // namespace
}  // namespace bitfetch
