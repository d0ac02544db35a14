// SPDX-License-Identifier: Apache-2.0
#include "prefetch/plan_watch.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <limits>
#include <random>
#include <utility>
#include <vector>

#include "base/test_effort.h"
#include "base/test_random.h"

namespace bitfetch {
namespace {

const PrefetchAccess kAccess{.threads = 2, .max_streams = 16};

PrefetchGain Gain(PrefetchHint hint, int streams, const Speedup& contiguous) {
  return {PageSize::kHuge, 2, hint, streams, contiguous, {1}};
}

// The law chooses 2 streams into L1, then 4 into L2, then 8 into L1.
MachineProfile Profile() {
  MachineProfile profile;
  profile.kernels = {{"",
                      16,
                      16e9,
                      {Gain(PrefetchHint::kL1, 8, {1.1}), Gain(PrefetchHint::kL1, 2, {1.3}),
                       Gain(PrefetchHint::kL2, 4, {1.25})}}};
  return profile;
}

// What attention costs by a plan on this machine.
using Cost = std::function<double(const PrefetchPlan&)>;

// Times a burst of work now and then takes longer, and wavers by 2 %.
class NoisyCost {
 public:
  NoisyCost(Cost cost, unsigned seed) : cost_(std::move(cost)), random_(seed) {}
  double operator()(const PrefetchPlan& plan) {
    if (random_() % 40 == 0) busy_ = !busy_;
    const double wavers = 1 + 0.02 * RandomFloat(random_);
    return cost_(plan) * wavers * (busy_ && random_() % 2 == 0 ? 1.7 : 1);
  }

 private:
  Cost cost_;
  std::mt19937 random_;
  bool busy_ = false;
};

// Attends so many times; whether a better plan was found.
bool Attend(PlanWatch& watch, NoisyCost& cost, int times) {
  for (int i = 0; i < times && !watch.found_better(); ++i) watch.Add(cost(watch.plan()));
  return watch.found_better();
}

// Costs as Profile() has it, but for those along `streams`, times `factor`.
Cost Truth(int streams = 0, double factor = 1) {
  return [=](const PrefetchPlan& plan) {
    const double gain = !plan.on ? 1 : plan.streams == 8 ? 1.1 : plan.streams == 2 ? 1.3 : 1.25;
    return (plan.streams == streams && plan.on ? factor : 1) / gain;
  };
}

TEST(PlanWatch, KeepsThePlanThatIsRight) {
  int wrong = 0;
  const int seeds = Rounds(100);
  for (int seed = 0; seed < seeds; ++seed) {
    PlanWatch watch(Profile(), kAccess);
    NoisyCost cost(Truth(), seed);
    wrong += Attend(watch, cost, 100 * PlanWatch::kMaxRest) ? 1 : 0;
  }
  EXPECT_LE(wrong, seeds / 50);
}

// In 80 tokens of a model with 30 layers.
TEST(PlanWatch, WhatIsWrongByFarIsFoundSoon) {
  int found = 0;
  const int seeds = Rounds(100);
  for (int seed = 0; seed < seeds; ++seed) {
    PlanWatch watch(Profile(), kAccess);
    NoisyCost cost(Truth(/*streams=*/2, /*factor=*/1.5), seed);
    found += Attend(watch, cost, 80 * 30) ? 1 : 0;
  }
  EXPECT_GE(found, seeds * 9 / 10);
}

TEST(PlanWatch, FindsTheOneThatIsBetter) {
  const PrefetchPlan law = ChoosePrefetch(Profile(), kAccess);
  const int seeds = Rounds(100);
  int right = 0;
  for (int seed = 0; seed < seeds; ++seed) {
    PlanWatch watch(Profile(), kAccess);
    NoisyCost cost(Truth(/*streams=*/2, /*factor=*/1.2), seed);
    if (!Attend(watch, cost, 100 * PlanWatch::kMaxRest)) continue;
    EXPECT_EQ(watch.plan(), law);  // until somebody takes note
    MachineProfile profile = Profile();
    watch.Mend(profile);
    EXPECT_TRUE(CheckProfile(profile));
    const PrefetchPlan plan = ChoosePrefetch(profile, kAccess);
    right += plan.streams == 4 && plan.hint == PrefetchHint::kL2 ? 1 : 0;
  }
  EXPECT_GE(right, seeds * 95 / 100);
}

TEST(PlanWatch, LooksSeldom) {
  PlanWatch watch(Profile(), kAccess);
  const PrefetchPlan law = watch.plan();
  int others = 0;
  constexpr int kTimes = 100'000;
  for (int i = 0; i < kTimes; ++i) {
    others += watch.plan() == law ? 0 : 1;
    watch.Add(1);
  }
  EXPECT_GT(others, 0);
  EXPECT_LT(others, kTimes / 100);
}

// Whatever the profile said at first, in the end the law says what is best.
TEST(PlanWatch, MendsAnyProfile) {
  std::mt19937 random(5);
  const auto any = [&](double low, double high) {
    return low + (high - low) * static_cast<double>(random()) * 0x1p-32;
  };
  for (int run = 0; run < Rounds(400); ++run) {
    MachineProfile profile;
    std::vector<PrefetchGain> gains;
    for (const PrefetchHint hint : {PrefetchHint::kL1, PrefetchHint::kL2}) {
      for (const int streams : {1, 2, 4, 8, 16}) {
        PrefetchGain gain = {PageSize::kHuge, 1, hint, streams};
        for (Speedup* speed : {&gain.contiguous, &gain.paged}) {
          speed->times = any(0.7, 1.5);
          speed->min = speed->times * any(0.8, 1);
          speed->max = speed->times * any(1, 1.2);
        }
        gains.push_back(gain);
      }
    }
    profile.kernels = {{random() % 2 ? "k" : "j", 16, 16e9, gains}};
    const PrefetchAccess access{.kernel = "k",
                                .paged = random() % 2 == 0,
                                .threads = static_cast<int>(random() % 3),
                                .max_streams = 16};
    // By plan: off, then each as it comes.
    std::vector<PrefetchPlan> plans = {{}};
    std::vector<double> costs = {1};
    for (const PrefetchGain& gain : gains) {
      plans.push_back(PlanAlong(profile, access, gain.hint, gain.streams));
      costs.push_back(1 / any(0.8, 1.5));
    }
    const auto cost = [&](const PrefetchPlan& plan) {
      return costs[std::ranges::find(plans, plan) - plans.begin()];
    };
    int mended = 0;
    for (; mended < 20; ++mended) {
      PlanWatch watch(profile, access);
      const PrefetchPlan before = watch.plan();
      EXPECT_EQ(before, ChoosePrefetch(profile, access));
      for (int i = 0; i < 200 * PlanWatch::kMaxRest && !watch.found_better(); ++i) {
        watch.Add(cost(watch.plan()));
      }
      if (!watch.found_better()) break;
      watch.Mend(profile);
      EXPECT_TRUE(CheckProfile(profile));
      EXPECT_NE(ChoosePrefetch(profile, access), before);
    }
    EXPECT_LT(mended, 20);
    const double least = *std::ranges::min_element(costs);
    EXPECT_LE(cost(ChoosePrefetch(profile, access)), least * Race::kEqual);
  }
}

// Of another layout, other pages or another number of threads it learns nothing.
TEST(PlanWatch, LeavesOtherAccessesAlone) {
  PlanWatch watch(Profile(), kAccess);
  while (!watch.found_better()) watch.Add(Truth(2, 1.3)(watch.plan()));
  MachineProfile profile = Profile();
  watch.Mend(profile);
  PrefetchAccess paged = kAccess;
  paged.paged = true;
  EXPECT_EQ(ChoosePrefetch(profile, paged), ChoosePrefetch(Profile(), paged));
  // Where it is the nearest that is known, what was measured of other pages is its own.
  MachineProfile small = Profile();
  for (PrefetchGain& gain : small.kernels[0].gains) gain.pages = PageSize::k4K;
  const size_t before = small.kernels[0].gains.size();
  watch.Mend(small);
  EXPECT_EQ(small.kernels[0].gains.size(), 2 * before);
  PrefetchAccess on_4k = kAccess;
  on_4k.pages = PageSize::k4K;
  EXPECT_EQ(ChoosePrefetch(small, on_4k), ChoosePrefetch(Profile(), on_4k));
  EXPECT_EQ(ChoosePrefetch(small, kAccess), ChoosePrefetch(profile, kAccess));
}

TEST(PlanWatch, LearnsOnlyFromLongReadsOfColdMemory) {
  MachineProfile profile = Profile();
  profile.cores = 2;
  profile.l2_bytes = 1 << 20;
  profile.l3_bytes = 32 << 20;
  const PlanWatch watch(profile, kAccess);
  EXPECT_TRUE(watch.Tells(2 << 20, 100 << 20));
  EXPECT_FALSE(watch.Tells(1 << 20, 100 << 20));  // for two threads
  EXPECT_FALSE(watch.Tells(2 << 20, 60 << 20));
}

// Off, of a kernel that can't walk what was measured.
TEST(PlanWatch, DoesNothingWhereThereIsNoOtherPlan) {
  MachineProfile profile;
  profile.kernels[0].gains = {Gain(PrefetchHint::kL2, 64, {0.9})};
  PlanWatch watch(profile, kAccess);
  for (int i = 0; i < 10 * PlanWatch::kMaxRest; ++i) {
    EXPECT_EQ(watch.plan(), PrefetchPlan{});
    watch.Add(1 + i % 2);
  }
  EXPECT_FALSE(watch.found_better());
}

// A clock that tells nothing, and one that jumps.
TEST(PlanWatch, SurvivesNonsense) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  PlanWatch watch(Profile(), kAccess);
  for (int i = 0; i < 100'000; ++i) watch.Add(i % 3 == 0 ? 0 : i % 3 == 1 ? -1 : nan);
  EXPECT_FALSE(watch.found_better());
  std::mt19937 random(1);
  for (int i = 0; i < 100'000; ++i) {
    watch.Add(random() % 50 == 0 ? 60e9 : Truth()(watch.plan()));
  }
  EXPECT_FALSE(watch.found_better());
}

}  // namespace
}  // namespace bitfetch
