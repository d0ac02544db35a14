// SPDX-License-Identifier: Apache-2.0
#include "text/sampler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>
#include <set>
#include <vector>

#include "base/math.h"

namespace bitfetch {
namespace {

using testing::HasSubstr;

constexpr float kNegativeInfinity = -std::numeric_limits<float>::infinity();

Sampler MakeSampler(const SamplerOptions& options) {
  Result<Sampler> sampler = Sampler::Create(options);
  EXPECT_TRUE(sampler) << sampler.error().message;
  return *std::move(sampler);
}

std::vector<Logit> ById(const std::vector<float>& logits) {
  std::vector<Logit> by_id;
  for (const float logit : logits) by_id.push_back({static_cast<int>(by_id.size()), logit});
  return by_id;
}

int SampleOnce(const SamplerOptions& options, const std::vector<float>& logits,
               const std::vector<int>& history = {}) {
  return MakeSampler(options).Sample(ById(logits), history);
}

// Which ids come up in many draws.
std::set<int> Drawn(SamplerOptions options, const std::vector<float>& logits) {
  Sampler sampler = MakeSampler(options);
  std::set<int> ids;
  for (int i = 0; i < 5000; ++i) ids.insert(sampler.Sample(ById(logits), {}));
  return ids;
}

// The authors' C program, seeded with 0 by SplitMix64.
TEST(Random, IsXoshiro256StarStar) {
  Random random(0);
  EXPECT_EQ(random.Next(), 11091344671253066420u);
  EXPECT_EQ(random.Next(), 13793997310169335082u);
}

TEST(Random, UnitIsBelowOneAndEvenlySpread) {
  Random random(42);
  double sum = 0;
  for (int i = 0; i < 100000; ++i) {
    const double unit = random.NextUnit();
    ASSERT_GE(unit, 0);
    ASSERT_LT(unit, 1);
    sum += unit;
  }
  EXPECT_NEAR(sum / 100000, 0.5, 0.005);
}

TEST(Sampler, GreedyTakesTheLikeliestAndOfEqualsTheLowestId) {
  EXPECT_EQ(SampleOnce({}, {1, 3, 2}), 1);
  EXPECT_EQ(SampleOnce({}, {1, 3, 3, 0, 3}), 1);
  EXPECT_EQ(SampleOnce({}, {kNegativeInfinity, -5, kNegativeInfinity}), 1);
  EXPECT_EQ(SampleOnce({}, {7}), 0);
}

TEST(Sampler, DrawsByTheSoftmax) {
  const std::vector<float> logits = {0.5f, -1, 2, kNegativeInfinity, 1};
  for (const double temperature : {0.5, 1.0, 3.0}) {
    Sampler sampler = MakeSampler({.temperature = temperature, .seed = 3});
    std::vector<double> weights;
    weights.reserve(logits.size());
    for (const float logit : logits) weights.push_back(std::exp(logit / temperature));
    const double total = std::accumulate(weights.begin(), weights.end(), 0.0);
    std::vector<int> counts(logits.size());
    constexpr int kDraws = 200000;
    for (int i = 0; i < kDraws; ++i) ++counts[sampler.Sample(ById(logits), {})];
    for (size_t id = 0; id < logits.size(); ++id) {
      EXPECT_NEAR(counts[id] / double{kDraws}, weights[id] / total, 0.005) << id;
    }
  }
}

TEST(Sampler, ATinyTemperatureIsGreedy) {
  EXPECT_EQ(Drawn({.temperature = 1e-300}, {1, 1.0001f, 1}), std::set<int>{1});
}

TEST(Sampler, EachFilterKeepsWhatItShould) {
  // Probabilities 0.5, 0.25, 0.125, 0.125.
  const float step = std::log(2.0f);
  const std::vector<float> logits = {step, 0, 2 * step, 0};
  EXPECT_EQ(Drawn({.temperature = 1}, logits), (std::set<int>{0, 1, 2, 3}));
  EXPECT_EQ(Drawn({.temperature = 1, .top_k = 1}, logits), std::set<int>{2});
  EXPECT_EQ(Drawn({.temperature = 1, .top_k = 3}, logits), (std::set<int>{0, 1, 2}));
  EXPECT_EQ(Drawn({.temperature = 1, .top_k = 100}, logits), (std::set<int>{0, 1, 2, 3}));
  EXPECT_EQ(Drawn({.temperature = 1, .top_p = 0.1}, logits), std::set<int>{2});
  EXPECT_EQ(Drawn({.temperature = 1, .top_p = 0.7}, logits), (std::set<int>{0, 2}));
  EXPECT_EQ(Drawn({.temperature = 1, .top_p = 0.8}, logits), (std::set<int>{0, 1, 2}));
  EXPECT_EQ(Drawn({.temperature = 1, .min_p = 0.4}, logits), (std::set<int>{0, 2}));
  EXPECT_EQ(Drawn({.temperature = 1, .min_p = 1}, logits), std::set<int>{2});
  // top-p counts what top-k left: 0.5 of 0.75 is two thirds.
  EXPECT_EQ(Drawn({.temperature = 1, .top_k = 2, .top_p = 0.6}, logits), std::set<int>{2});
  // The filters look at probabilities before the temperature.
  EXPECT_EQ(Drawn({.temperature = 100, .top_p = 0.7}, logits), (std::set<int>{0, 2}));
}

TEST(Sampler, RepeatPenaltyDividesPositiveAndMultipliesNegativeLogits) {
  const SamplerOptions options = {.repeat_penalty = 2};
  EXPECT_EQ(SampleOnce(options, {4, 3}, {}), 0);
  EXPECT_EQ(SampleOnce(options, {4, 3}, {0}), 1);
  EXPECT_EQ(SampleOnce(options, {4, 1.9f}, {0, 0, 0}), 0);  // once, however often it occurred
  EXPECT_EQ(SampleOnce(options, {-2, -3}, {0}), 1);
  EXPECT_EQ(SampleOnce(options, {-2, -5}, {0}), 0);
  EXPECT_EQ(SampleOnce({.repeat_penalty = 2, .repeat_window = 2}, {4, 3}, {0, 1, 1}), 0);
  EXPECT_EQ(SampleOnce({.repeat_penalty = 2, .repeat_window = 3}, {4, 3}, {0, 1, 1}), 0);
  EXPECT_EQ(SampleOnce({.repeat_penalty = 2, .repeat_window = 3}, {4, 3, 2.5f}, {0, 1, 1}), 2);
  EXPECT_EQ(SampleOnce({.repeat_penalty = 2, .repeat_window = 0}, {4, 3}, {0}), 0);
}

TEST(Sampler, FrequencyAndPresencePenaltiesAreSubtracted) {
  EXPECT_EQ(SampleOnce({.frequency_penalty = 0.6}, {4, 3}, {0}), 0);
  EXPECT_EQ(SampleOnce({.frequency_penalty = 0.6}, {4, 3}, {0, 0}), 1) << "each time";
  EXPECT_EQ(SampleOnce({.presence_penalty = 0.6}, {4, 3}, {0, 0}), 0) << "once";
  EXPECT_EQ(SampleOnce({.presence_penalty = 1.1}, {4, 3}, {0}), 1);
  EXPECT_EQ(SampleOnce({.presence_penalty = -1.1}, {4, 3}, {1}), 1);
  EXPECT_EQ(SampleOnce({.presence_penalty = 1.1, .repeat_window = 1}, {4, 3, 0}, {0, 2}), 0);
  // The repeat penalty first: 4 / 2 - 1 is less than 1.5, (4 - 1) / 2 would not be.
  EXPECT_EQ(SampleOnce({.repeat_penalty = 2, .presence_penalty = 1}, {4, 1.4f}, {0}), 1);
}

TEST(Sampler, BiasIsAddedFirst) {
  EXPECT_EQ(SampleOnce({.bias = {{1, 1.5f}}}, {4, 3}), 1);
  EXPECT_EQ(SampleOnce({.bias = {{1, 0.5f}}}, {4, 3}), 0);
  EXPECT_EQ(SampleOnce({.bias = {{9, 100}, {0, -2}}}, {4, 3}), 1) << "in any order";
  // (-1 + 3) / 2, not -1 * 2 + 3.
  EXPECT_EQ(SampleOnce({.repeat_penalty = 2, .bias = {{0, 3}}}, {-1, 1.1f}, {0}), 1);
  EXPECT_EQ(SampleOnce({.repeat_penalty = 2, .bias = {{0, 3}}}, {-1, 0.9f}, {0}), 0);
  SamplerOptions never = {.temperature = 1000, .bias = {{0, kNegativeInfinity}}};
  EXPECT_EQ(Drawn(never, {9, 1, 2}), (std::set<int>{1, 2}));
  never.repeat_penalty = 1e-300;  // raises what occurred beyond all numbers, but not from there
  EXPECT_EQ(SampleOnce(never, {9, 1, 2}, {0, 1}), 1);
  EXPECT_EQ(SampleOnce({.bias = {{1, 3e38f}}}, {1, 3e38f}), 1);
}

// The whole chain once more, without any shortcut, over random logits with many ties.
TEST(Sampler, SameAsTheDefinition) {
  std::mt19937 random(17);
  for (int round = 0; round < 2000; ++round) {
    std::vector<float> logits(1 + random() % 300);
    for (float& logit : logits)
      logit = static_cast<float>(static_cast<int>(random() % 41) - 20) / 4;
    const auto pick = [&](std::initializer_list<double> values) {
      return values.begin()[random() % values.size()];
    };
    const SamplerOptions options = {.temperature = pick({0.3, 1, 2}),
                                    .top_k = static_cast<int>(pick({0, 1, 5, 40, 1000})),
                                    .top_p = pick({1, 0.95, 0.5, 0.01}),
                                    .min_p = pick({0, 0.05, 0.5}),
                                    .seed = static_cast<uint64_t>(round)};

    std::vector<int> ids(logits.size());
    std::iota(ids.begin(), ids.end(), 0);
    std::ranges::stable_sort(ids, std::greater(), [&](int id) { return logits[id]; });
    const auto weight = [&](int id, double temperature) {
      return Exp((static_cast<double>(logits[id]) - logits[ids[0]]) / temperature);
    };
    const auto sum_of = [&](std::vector<int> of, double temperature) {
      std::ranges::sort(of);
      double sum = 0;
      for (const int id : of) sum += weight(id, temperature);
      return sum;
    };
    if (options.top_k > 0 && ids.size() > static_cast<size_t>(options.top_k))
      ids.resize(options.top_k);
    if (options.top_p < 1) {
      const double total = sum_of(ids, 1);
      double sum = 0;
      size_t kept = 0;
      while (kept < ids.size() && sum < options.top_p * total) sum += weight(ids[kept++], 1);
      ids.resize(kept);
    }
    std::vector<int> rest;
    for (const int id : ids) {
      if (weight(id, 1) >= options.min_p) rest.push_back(id);
    }
    const double target = Random(options.seed).NextUnit() * sum_of(rest, options.temperature);
    std::ranges::sort(rest);
    double sum = 0;
    size_t drawn = 0;
    while ((sum += weight(rest[drawn], options.temperature)) <= target) ++drawn;

    ASSERT_EQ(SampleOnce(options, logits), rest[drawn]) << "round " << round;
  }
}

// What LogitsWanted says, by its definition.
std::vector<Logit> Wanted(const std::vector<float>& logits, const LogitsWanted& wanted) {
  const auto always = [&](int id) { return std::ranges::count(wanted.always, id) > 0; };
  std::vector<double> others;
  for (const Logit& logit : ById(logits)) {
    if (!always(logit.id)) others.push_back(logit.value);
  }
  std::ranges::sort(others, std::greater());
  double min = kNegativeInfinity;
  if (wanted.top > 0 && static_cast<size_t>(wanted.top) <= others.size()) {
    min = others[wanted.top - 1] - wanted.margin;
  }
  std::vector<Logit> list = ById(logits);
  std::erase_if(list, [&](const Logit& l) { return l.value < min && !always(l.id); });
  return list;
}

TEST(Sampler, TheWantedLogitsAreEnough) {
  std::mt19937 random(19);
  size_t seen = 0;
  size_t given = 0;
  for (int round = 0; round < 1000; ++round) {
    const auto pick = [&](std::initializer_list<double> values) {
      return values.begin()[random() % values.size()];
    };
    SamplerOptions options = {.temperature = pick({0, 0.3, 1, 2}),
                              .top_k = static_cast<int>(pick({0, 0, 1, 5, 40, 1000})),
                              .top_p = pick({1, 1, 0.9, 0.3}),
                              .min_p = pick({0, 0.02, 0.5, std::exp(-1.25), 1}),
                              .repeat_penalty = pick({1, 1, 0.5, 1.5, 10}),
                              .frequency_penalty = pick({0, 0, 0.7, -2}),
                              .presence_penalty = pick({0, 0, 2, -0.3}),
                              .repeat_window = static_cast<int>(pick({0, 3, 1000})),
                              .seed = static_cast<uint64_t>(round)};
    for (int i = static_cast<int>(random() % 4); i > 0; --i) {
      options.bias.push_back(
          {static_cast<int>(random() % 200), static_cast<float>(pick({-100, -1, 2.5, 100}))});
      if (random() % 8 == 0) options.bias.back().value = kNegativeInfinity;
    }
    Sampler from_all = MakeSampler(options);
    Sampler from_wanted = MakeSampler(options);
    std::vector<int> history = {-1, 1 << 20};  // nothing that there is
    for (int draw = 0; draw < 5; ++draw) {
      std::vector<float> logits(5 + random() % 200);  // more than are never drawn
      for (float& logit : logits) {
        logit = static_cast<float>(static_cast<int>(random() % 41) - 20) / 4;
      }
      const auto list = Wanted(logits, from_wanted.Wanted(history));
      seen += list.size();
      given += logits.size();
      const int token = from_all.Sample(ById(logits), history);
      ASSERT_EQ(from_wanted.Sample(list, history), token) << "round " << round;
      history.push_back(token);
      history.push_back(static_cast<int>(random() % logits.size()));
    }
  }
  EXPECT_LT(seen, given / 2);
}

// For every compiler on every machine.
TEST(Sampler, SameTokensEverywhere) {
  std::vector<float> logits(5000);
  uint32_t state = 1;
  for (float& logit : logits) {
    state = state * 1664525 + 1013904223;
    logit = static_cast<float>(state >> 8) * 0x1p-22f;
  }
  Sampler sampler = MakeSampler(
      {.temperature = 0.8, .top_p = 0.9, .min_p = 0.02, .repeat_penalty = 1.1, .seed = 1});
  std::vector<int> history;
  uint32_t hash = 0x811c9dc5;
  for (int i = 0; i < 200; ++i) {
    history.push_back(sampler.Sample(ById(logits), history));
    hash = (hash ^ static_cast<uint32_t>(history.back())) * 0x01000193;
  }
  EXPECT_EQ(hash, 990244096u);
}

TEST(Sampler, AnyPenaltyLeavesNumbers) {
  for (const double top_p : {0.9, 1.0}) {
    std::set<int> drawn;
    for (uint64_t seed = 0; seed < 50; ++seed) {
      SamplerOptions options = {
          .temperature = 1, .top_k = 0, .top_p = top_p, .min_p = 0, .seed = seed};
      options.repeat_penalty = 1e-300;  // raises what was said, beyond all numbers
      EXPECT_EQ(SampleOnce(options, {2, 1, -3}, {1}), 1);
      options.repeat_penalty = 1e300;  // all tie at the bottom
      drawn.insert(SampleOnce(options, {-2, -1, -3}, {0, 1, 2}));
    }
    EXPECT_EQ(drawn.size(), 3u);
  }
}

TEST(Sampler, RefusesOptionsOutOfRange) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double inf = std::numeric_limits<double>::infinity();
  const auto why_not = [](const SamplerOptions& options) {
    const Result<Sampler> sampler = Sampler::Create(options);
    return sampler ? std::string() : sampler.error().message;
  };
  for (const double bad : {-0.1, nan, inf}) {
    EXPECT_THAT(why_not({.temperature = bad}),
                HasSubstr("the temperature must be 0 or more, not "));
  }
  EXPECT_EQ(why_not({.top_k = -1}), "top-k must be 0 or more, not -1");
  for (const double bad : {0.0, -1.0, 1.5, nan}) {
    EXPECT_THAT(why_not({.top_p = bad}), HasSubstr("top-p must be above 0 and at most 1, not "));
  }
  for (const double bad : {-0.5, 1.1, nan})
    EXPECT_THAT(why_not({.min_p = bad}), HasSubstr("min-p must be from 0 to 1, not "));
  for (const double bad : {0.0, -1.0, nan, inf}) {
    EXPECT_THAT(why_not({.repeat_penalty = bad}),
                HasSubstr("the repeat penalty must be above 0, not "));
  }
  EXPECT_EQ(why_not({.frequency_penalty = inf}), "the frequency penalty must be finite, not inf");
  EXPECT_EQ(why_not({.presence_penalty = nan}), "the presence penalty must be finite, not nan");
  EXPECT_EQ(why_not({.bias = {{7, INFINITY}}}),
            "the bias of token 7 must be finite or -inf, not inf");
  EXPECT_THAT(why_not({.repeat_window = -1}),
              HasSubstr("the window of the repeat penalty must be 0 or more"));
  EXPECT_EQ(why_not({.temperature = 0.7, .top_k = 40, .top_p = 1, .min_p = 1}), "");
}

}  // namespace
}  // namespace bitfetch
