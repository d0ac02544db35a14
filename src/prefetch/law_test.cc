// SPDX-License-Identifier: Apache-2.0
#include "prefetch/law.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <random>
#include <string>
#include <tuple>

#include "prefetch/streams.h"

namespace bitfetch {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

class Random {
 public:
  int64_t Int(int64_t low, int64_t high) {
    return std::uniform_int_distribution<int64_t>(low, high)(engine_);
  }
  // Even on a logarithmic scale.
  double Log(double low, double high) {
    return std::exp(std::uniform_real_distribution(std::log(low), std::log(high))(engine_));
  }

 private:
  std::mt19937_64 engine_{7};
};

constexpr int kStreams[] = {1, 2, 4, 8, 16};

Speedup AnySpeedup(Random& random) {
  const double times = random.Log(0.5, 1.3);
  return {times, times / random.Log(1, 1.1), times * random.Log(1, 1.1)};
}

MachineProfile AnyProfile(Random& random) {
  MachineProfile profile;
  profile.cores = random.Int(1, 64);
  profile.l1d_bytes = random.Int(16, 128) << 10;
  profile.l2_bytes = random.Int(256, 2048) << 10;
  profile.latency_ns = random.Log(20, 1000);
  profile.latency_4k_ns = random.Log(20, 1000);
  profile.loaded_latency_ns = random.Log(20, 5000);
  profile.loaded_latency_4k_ns = random.Log(20, 5000);
  profile.jitter_ns = random.Log(0.1, 1000);
  profile.misses_in_flight = random.Log(1, 100);
  profile.reads = {{1, 16, 0, random.Log(1e9, 1e11)}, {8, 16, 0, random.Log(1e9, 1e12)}};
  profile.kernels.clear();
  for (const char* name : {"a", "b", "c"}) {
    KernelSpeed kernel{name, random.Log(2, 40), random.Log(1e8, 1e12), {}};
    for (const int threads : {1, 8}) {
      for (const PageSize pages : {PageSize::kHuge, PageSize::k4K}) {
        for (const PrefetchHint hint : {PrefetchHint::kL1, PrefetchHint::kL2}) {
          for (const int streams : kStreams) {
            kernel.gains.push_back(
                {pages, threads, hint, streams, AnySpeedup(random), AnySpeedup(random)});
          }
        }
      }
    }
    profile.kernels.push_back(kernel);
  }
  return profile;
}

PrefetchAccess AnyAccess(Random& random) {
  PrefetchAccess access;
  access.kernel = std::string(1, static_cast<char>('a' + random.Int(0, 3)));  // "d" is not there
  access.value_bits = random.Log(2, 40);
  access.paged = random.Int(0, 1) == 1;
  access.pages = random.Int(0, 1) ? PageSize::kHuge : PageSize::k4K;
  access.threads = random.Int(1, 100);
  access.working_set_bytes = random.Int(0, 20) << 10;
  access.max_streams = random.Int(1, 20);
  if (random.Int(0, 1) == 1) access.run_bytes = random.Int(1, 1 << 20);
  return access;
}

KernelSpeed Kernel(const std::string& name, double value_bits, double hot_bytes_per_s,
                   const PrefetchGain& gain) {
  return {name, value_bits, hot_bytes_per_s, {gain}};
}

constexpr PrefetchGain kIntoL1{
    .hint = PrefetchHint::kL1, .streams = 1, .contiguous = {1.1}, .paged = {1.2}};
constexpr PrefetchGain kIntoL2{
    .hint = PrefetchHint::kL2, .streams = 4, .contiguous = {1.1}, .paged = {1.2}};

// One that the law switches on, with a kernel of 16 GB/s.
MachineProfile Fast(const PrefetchGain& gain) {
  MachineProfile profile;
  profile.cores = 8;
  profile.l2_bytes = 1 << 20;
  profile.latency_ns = 100;
  profile.latency_4k_ns = 100;
  profile.loaded_latency_ns = 125;
  profile.loaded_latency_4k_ns = 125;
  profile.jitter_ns = 25;
  profile.misses_in_flight = 40;
  profile.reads = {{1, 32, 0, 20e9}, {8, 32, 0, 80e9}};
  profile.kernels = {Kernel("k", 16, 16e9, gain)};
  return profile;
}

constexpr int kCases = 5000;

TEST(Law, IsLittlesLaw) {
  // One thread: (125 + 25) ns x 16 GB/s = 2400 bytes, 37.5 lines.
  EXPECT_EQ(ChoosePrefetch(Fast(kIntoL1), {}), (PrefetchPlan{true, 38 * 64, 1, PrefetchHint::kL1}));
  // Eight share 80 GB/s: 150 ns x 10 GB/s = 1500 bytes, 23.4 lines; four streams of six lines.
  PrefetchGain four = kIntoL1;
  four.streams = 4;
  EXPECT_EQ(ChoosePrefetch(Fast(four), {.threads = 8, .max_streams = 4}),
            (PrefetchPlan{true, 24 * 64, 4, PrefetchHint::kL1}));
}

// The streaming read shows what can be on its way, in L2 and by the hardware's own requests.
TEST(Law, IsNotBoundByTheMissesOfL1) {
  MachineProfile profile = Fast(kIntoL1);
  profile.misses_in_flight = 1;
  EXPECT_EQ(ChoosePrefetch(profile, {}), ChoosePrefetch(Fast(kIntoL1), {}));
}

TEST(Law, PagesOf4KiBHaveTheirOwnLatency) {
  MachineProfile profile = Fast(kIntoL1);
  profile.loaded_latency_4k_ns = 175;
  profile.kernels[0].hot_bytes_per_s = 6.4e9;
  EXPECT_EQ(ChoosePrefetch(profile, {.pages = PageSize::k4K}).distance_bytes, 200 / 10 * 64);
  EXPECT_EQ(ChoosePrefetch(profile, {.pages = PageSize::kHuge}).distance_bytes, 150 / 10 * 64);
}

TEST(Law, LeadsByAPartOfL2AndAtLeastByLittlesLaw) {
  MachineProfile profile = Fast(kIntoL2);
  EXPECT_EQ(ChoosePrefetch(profile, {.max_streams = 4}),
            (PrefetchPlan{true, 64 << 10, 4, PrefetchHint::kL2}));
  // On 8 cores, 16 threads have half of it each.
  EXPECT_EQ(ChoosePrefetch(profile, {.threads = 16, .max_streams = 4}).distance_bytes, 32 << 10);
  // 10 us x 16 GB/s = 160 000 bytes, in whole lines of four streams.
  profile.loaded_latency_ns = 10'000 - profile.jitter_ns;
  EXPECT_EQ(ChoosePrefetch(profile, {.max_streams = 4}).distance_bytes, 625 * 256);
  profile.loaded_latency_ns = 100'000;
  EXPECT_EQ(ChoosePrefetch(profile, {.working_set_bytes = 256, .max_streams = 4}).distance_bytes,
            (1 << 20) - 256);
}

// What a run ends before is fetched for nothing.
TEST(Law, LeadsByNoMoreThanAPartOfARun) {
  const MachineProfile profile = Fast(kIntoL2);
  const auto distance = [&](int64_t run_bytes) {
    return ChoosePrefetch(profile, {.run_bytes = run_bytes, .max_streams = 4}).distance_bytes;
  };
  EXPECT_EQ(distance(64 << 20), 64 << 10);
  EXPECT_EQ(distance(160 << 10), 10 << 10);
  EXPECT_EQ(distance(1 << 10), 40 * 64);  // Little's law: 38 lines, in four streams
}

TEST(Law, StaysWithinItsBounds) {
  Random random;
  int on = 0;
  for (int i = 0; i < kCases; ++i) {
    const MachineProfile profile = AnyProfile(random);
    const PrefetchAccess access = AnyAccess(random);
    const PrefetchPlan plan = ChoosePrefetch(profile, access);
    EXPECT_EQ(plan, ChoosePrefetch(profile, access));
    if (!plan.on) {
      EXPECT_EQ(plan, PrefetchPlan{});
      continue;
    }
    ++on;
    EXPECT_GE(plan.distance_bytes, 64);
    EXPECT_GE(plan.streams, 1);
    EXPECT_LE(plan.streams, access.max_streams);
    EXPECT_EQ(plan.distance_bytes % (64 * plan.streams), 0);
    const int sharers = (access.threads + profile.cores - 1) / profile.cores;
    const int64_t l1 = profile.l1d_bytes / sharers - access.working_set_bytes;
    const int64_t l2 = profile.l2_bytes / sharers - access.working_set_bytes;
    EXPECT_LE(plan.distance_bytes, std::max<int64_t>(plan.hint == PrefetchHint::kL1 ? l1 : l2, 64));
    if (plan.hint == PrefetchHint::kL1) {
      EXPECT_GE(l1, 64);
    }
  }
  EXPECT_GT(on, kCases / 2);
  EXPECT_LT(on, kCases);
}

// Raises one input of random cases step by step: the distance must never fall.
void ExpectNeverDecreasing(PrefetchHint hint, const std::function<void(MachineProfile&)>& raise) {
  Random random;
  int rises = 0;
  for (int i = 0; i < kCases / 5; ++i) {
    MachineProfile profile = AnyProfile(random);
    const PrefetchAccess access = AnyAccess(random);
    const int streams = kStreams[random.Int(0, 4)];
    int64_t last = 0;
    for (int step = 0; step < 20; ++step) {
      raise(profile);
      const PrefetchPlan plan = PlanAlong(profile, access, hint, streams);
      EXPECT_TRUE(plan.on);
      EXPECT_GE(plan.distance_bytes, last);
      if (last > 0 && plan.distance_bytes > last) ++rises;
      last = plan.distance_bytes;
    }
  }
  EXPECT_GT(rises, 100);
}

TEST(Law, NeverDecreasesWithLatency) {
  for (const PrefetchHint hint : {PrefetchHint::kL1, PrefetchHint::kL2}) {
    ExpectNeverDecreasing(hint, [](MachineProfile& profile) {
      profile.loaded_latency_ns *= 1.3;
      profile.loaded_latency_4k_ns *= 1.3;
    });
    ExpectNeverDecreasing(hint, [](MachineProfile& profile) {
      profile.latency_ns *= 1.3;
      profile.latency_4k_ns *= 1.3;
    });
    ExpectNeverDecreasing(hint, [](MachineProfile& profile) { profile.jitter_ns *= 1.3; });
  }
}

TEST(Law, NeverDecreasesWithRateOrCaches) {
  for (const PrefetchHint hint : {PrefetchHint::kL1, PrefetchHint::kL2}) {
    ExpectNeverDecreasing(hint, [](MachineProfile& profile) {
      for (KernelSpeed& kernel : profile.kernels) kernel.hot_bytes_per_s *= 1.3;
    });
    ExpectNeverDecreasing(hint, [](MachineProfile& profile) {
      for (ReadSpeed& read : profile.reads) read.bytes_per_s *= 1.3;
    });
  }
  ExpectNeverDecreasing(PrefetchHint::kL2,
                        [](MachineProfile& profile) { profile.l2_bytes += profile.l2_bytes / 4; });
}

TEST(Law, MakesRoomForSiblingsAndTheKernel) {
  MachineProfile profile = Fast(kIntoL1);
  profile.l1d_bytes = 4 << 10;
  profile.kernels[0].hot_bytes_per_s = 20e9;  // wants 3000 bytes
  EXPECT_EQ(ChoosePrefetch(profile, {}).distance_bytes, 47 * 64);
  EXPECT_EQ(ChoosePrefetch(profile, {.working_set_bytes = 3 << 10}).distance_bytes, 1 << 10);
  profile.reads = {{1, 32, 0, 20e9}, {16, 32, 0, 320e9}};
  EXPECT_EQ(ChoosePrefetch(profile, {.threads = 16}).distance_bytes, 2 << 10);  // on 8 cores
}

TEST(Law, FetchesIntoL2WhenTheKernelFillsL1) {
  const PrefetchPlan plan = ChoosePrefetch(Fast(kIntoL1), {.working_set_bytes = 32 << 10});
  EXPECT_EQ(plan, (PrefetchPlan{true, 64 << 10, 1, PrefetchHint::kL2}));
}

TEST(Law, TakesFewerStreamsThanItHasLines) {
  MachineProfile profile = Fast(kIntoL1);
  profile.kernels[0].hot_bytes_per_s = 1e9;  // 150 bytes, 3 lines
  EXPECT_EQ(PlanAlong(profile, {}, PrefetchHint::kL1, 16),
            (PrefetchPlan{true, 4 * 64, 2, PrefetchHint::kL1}));
}

TEST(Law, IsOffWhereNothingGainsMoreThanNoise) {
  MachineProfile profile = Fast({.streams = 4, .contiguous = {1.01}, .paged = {1.03}});
  EXPECT_FALSE(ChoosePrefetch(profile, {.max_streams = 4}).on);
  EXPECT_TRUE(ChoosePrefetch(profile, {.paged = true, .max_streams = 4}).on);
}

TEST(Law, IsOnForAMachineThatWasNeverMeasured) {
  const PrefetchPlan plan = ChoosePrefetch(MachineProfile(), {.max_streams = 16});
  EXPECT_TRUE(plan.on);
  EXPECT_EQ(plan.hint, PrefetchHint::kL2);
  EXPECT_EQ(plan.streams, 4);
}

TEST(Law, SurvivesNonsense) {
  const PrefetchPlan usual = ChoosePrefetch(MachineProfile(), {});
  ASSERT_TRUE(usual.on);
  for (double bad : {0.0, -1.0, kNaN, kInfinity, -kInfinity, 1e300}) {
    for (double MachineProfile::*field :
         {&MachineProfile::latency_ns, &MachineProfile::latency_4k_ns,
          &MachineProfile::loaded_latency_ns, &MachineProfile::loaded_latency_4k_ns,
          &MachineProfile::jitter_ns, &MachineProfile::misses_in_flight}) {
      MachineProfile profile;
      profile.*field = bad;
      for (const PrefetchHint hint : {PrefetchHint::kL1, PrefetchHint::kL2}) {
        const PrefetchPlan plan = PlanAlong(profile, {.pages = PageSize::k4K}, hint, 4);
        EXPECT_TRUE(plan.on);
        EXPECT_GE(plan.distance_bytes, 64);
        EXPECT_LE(plan.distance_bytes,
                  plan.hint == PrefetchHint::kL1 ? profile.l1d_bytes : profile.l2_bytes);
      }
    }
    MachineProfile profile;
    for (ReadSpeed& read : profile.reads) read.bytes_per_s = bad;
    EXPECT_GE(ChoosePrefetch(profile, {}).distance_bytes, 64) << bad;
    profile = {};
    profile.kernels[0].hot_bytes_per_s = bad;
    EXPECT_TRUE(ChoosePrefetch(profile, {}).on) << bad;
    profile.kernels[0].value_bits = bad;
    EXPECT_TRUE(ChoosePrefetch(profile, {.value_bits = bad}).on) << bad;
  }
  MachineProfile profile;
  profile.loaded_latency_ns = profile.reads[0].bytes_per_s = kNaN;
  profile.reads.pop_back();
  profile.kernels[0].gains[0].contiguous.times = kNaN;
  EXPECT_EQ(ChoosePrefetch(profile, {}), usual);
  profile = {};
  profile.l1d_bytes = profile.l2_bytes = std::numeric_limits<int64_t>::min();
  EXPECT_GE(ChoosePrefetch(profile, {}).distance_bytes, 64);
  profile = {};
  profile.reads.clear();
  profile.kernels.clear();
  EXPECT_EQ(ChoosePrefetch(profile, {}), usual);

  for (int64_t bad : {int64_t{0}, int64_t{-1}, std::numeric_limits<int64_t>::min(),
                      std::numeric_limits<int64_t>::max()}) {
    const int clamped = static_cast<int>(std::clamp<int64_t>(bad, -5, 1 << 30));
    const PrefetchPlan plan =
        ChoosePrefetch({}, {.threads = clamped, .working_set_bytes = bad, .max_streams = clamped});
    EXPECT_TRUE(plan.on) << bad;
    EXPECT_GE(plan.distance_bytes, 64) << bad;
    EXPECT_LE(plan.distance_bytes, 1 << 20) << bad;
    EXPECT_GE(PlanAlong({}, {}, PrefetchHint::kL1, clamped).streams, 1);
  }
}

TEST(NearestKernel, IsItselfOrTheOneWithValuesOfNearestSize) {
  MachineProfile profile;
  profile.kernels = {Kernel("f32", 32, 1e9, kIntoL1), Kernel("f16", 16, 1e9, kIntoL1),
                     Kernel("q8_0", 8.5, 1e9, kIntoL1), Kernel("q4_0", 4.5, 1e9, kIntoL1)};
  const auto nearest = [&](const std::string& name, double bits) {
    return NearestKernel(profile, {.kernel = name, .value_bits = bits}).name;
  };
  EXPECT_EQ(nearest("f32", 4.5), "f32");
  EXPECT_EQ(nearest("bf16", 16), "f16");
  EXPECT_EQ(nearest("q8_0:q4_0", 6.5), "q8_0");
  EXPECT_EQ(nearest("f32:f16", 24), "f32");
  EXPECT_EQ(nearest("q2", 2), "q4_0");
}

TEST(NearestKernel, SpeaksForItsKindOfDataOnly) {
  MachineProfile profile;
  profile.kernels = {Kernel("f16", 16, 1e9, kIntoL1)};
  const PrefetchAccess fours{.kernel = "fours", .value_bits = 2, .data = KernelData::kWeights};
  EXPECT_EQ(NearestKernel(profile, fours).data, KernelData::kWeights);  // assumed
  EXPECT_TRUE(ChoosePrefetch(profile, fours).on);
  profile.kernels.push_back(Kernel("screen", 4, 2e9, kIntoL1));
  profile.kernels.back().data = KernelData::kWeights;
  EXPECT_EQ(NearestKernel(profile, fours).name, "screen");
  EXPECT_EQ(NearestKernel(profile, {.kernel = "q4_0", .value_bits = 4.5}).name, "f16");
}

TEST(ChooseStreams, TakesWhatGainedMostOfWhatTheKernelCanWalk) {
  const KernelSpeed kernel{
      "k",
      16,
      16e9,
      {{.hint = PrefetchHint::kL1, .streams = 1, .contiguous = {1.1}, .paged = {1.2}},
       {.hint = PrefetchHint::kL1, .streams = 4, .contiguous = {1.3}, .paged = {1.2}},
       {.hint = PrefetchHint::kL2, .streams = 2, .contiguous = {1.2}, .paged = {1.3}},
       {.hint = PrefetchHint::kL2, .streams = 8, .contiguous = {1.2}, .paged = {1.9}}}};
  const auto choose = [&](int max_streams, bool paged) {
    const Streams best = ChooseStreams(kernel, {.paged = paged, .max_streams = max_streams});
    return std::tuple(best.hint, best.streams, best.gain.times);
  };
  EXPECT_EQ(choose(16, false), std::tuple(PrefetchHint::kL1, 4, 1.3));
  EXPECT_EQ(choose(3, false), std::tuple(PrefetchHint::kL2, 2, 1.2));
  EXPECT_EQ(choose(1, false), std::tuple(PrefetchHint::kL1, 1, 1.1));
  EXPECT_EQ(choose(0, false), std::tuple(PrefetchHint::kL1, 1, 1.1));
  EXPECT_EQ(choose(16, true), std::tuple(PrefetchHint::kL2, 8, 1.9));
  EXPECT_EQ(choose(7, true), std::tuple(PrefetchHint::kL2, 2, 1.3));
}

// Into L2 along 4 streams in doubt, which forgives a wrong distance.
TEST(ChooseStreams, IsCautiousWhereTheOrderIsNotSure) {
  const auto choose = [](double max_of_l2, double max_of_l1) {
    const KernelSpeed kernel{
        "k",
        16,
        16e9,
        {{.hint = PrefetchHint::kL1, .streams = 1, .contiguous = {1.3, 1.2, 1.4}},
         {.hint = PrefetchHint::kL1, .streams = 2, .contiguous = {1.25, 1.2, max_of_l1}},
         {.hint = PrefetchHint::kL2, .streams = 4, .contiguous = {1.2, 1.1, max_of_l2}},
         {.hint = PrefetchHint::kL2, .streams = 8, .contiguous = {1.1, 1.0, 1.29}}}};
    const Streams best = ChooseStreams(kernel, {.max_streams = 16});
    return std::tuple(best.hint, best.streams, best.doubt);
  };
  EXPECT_EQ(choose(1.29, 1.29), std::tuple(PrefetchHint::kL1, 1, 1));
  EXPECT_EQ(choose(1.31, 1.29), std::tuple(PrefetchHint::kL1, 1, 1.31 / 1.3));  // much the same
  EXPECT_EQ(choose(1.43, 1.29), std::tuple(PrefetchHint::kL2, 4, 1.3 / 1.2));
  EXPECT_EQ(choose(1.31, 1.43), std::tuple(PrefetchHint::kL2, 4, 1.43 / 1.2));
  EXPECT_EQ(choose(1.29, 1.43), std::tuple(PrefetchHint::kL1, 1, 1.43 / 1.3));  // L2 surely is not
}

TEST(ChooseStreams, GoesByWhatWasMeasuredNearest) {
  KernelSpeed kernel{"k", 16, 16e9, {}};
  for (const int threads : {1, 8}) {
    for (const PageSize pages : {PageSize::kHuge, PageSize::k4K}) {
      if (threads == 1 && pages == PageSize::k4K) continue;
      kernel.gains.push_back(
          {.pages = pages, .threads = threads, .streams = pages == PageSize::k4K ? 16 : threads});
    }
  }
  const auto streams = [&](PageSize pages, int threads) {
    return ChooseStreams(kernel, {.pages = pages, .threads = threads, .max_streams = 16}).streams;
  };
  EXPECT_EQ(streams(PageSize::kHuge, 1), 1);
  EXPECT_EQ(streams(PageSize::kHuge, 2), 1);
  EXPECT_EQ(streams(PageSize::kHuge, 3), 8);
  EXPECT_EQ(streams(PageSize::kHuge, 100), 8);
  EXPECT_EQ(streams(PageSize::k4K, 1), 16);  // with other threads rather than on other pages
}

}  // namespace
}  // namespace bitfetch
