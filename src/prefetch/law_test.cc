// SPDX-License-Identifier: Apache-2.0
#include "prefetch/law.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <random>

#include "prefetch/breadth.h"

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

MachineProfile AnyProfile(Random& random) {
  MachineProfile profile;
  profile.cores = random.Int(1, 64);
  profile.l1d_bytes = random.Int(16, 128) << 10;
  profile.l2_bytes = random.Int(256, 2048) << 10;
  profile.latency_ns = random.Log(20, 1000);
  profile.latency_4k_ns = random.Log(20, 1000);
  profile.loaded_latency_ns = random.Log(20, 5000);
  profile.jitter_ns = random.Log(0.1, 1000);
  profile.misses_in_flight = random.Log(1, 100);
  profile.reads = {{1, 16, 0, random.Log(1e9, 1e11)}, {8, 16, 0, random.Log(1e9, 1e12)}};
  profile.gains.clear();
  for (int streams : {1, 2, 4, 8, 16}) {
    profile.gains.push_back({streams, random.Log(0.7, 3), random.Log(0.7, 3)});
  }
  return profile;
}

PrefetchAccess AnyAccess(Random& random) {
  PrefetchAccess access;
  access.hot_bytes_per_s = random.Log(1e8, 1e12);
  access.run_bytes = static_cast<int64_t>(random.Log(1e3, 1e12));
  access.pages = random.Int(0, 1) ? PageSize::kHuge : PageSize::k4K;
  access.threads = random.Int(1, 100);
  access.working_set_bytes = random.Int(0, 20) << 10;
  access.max_streams = random.Int(1, 20);
  return access;
}

// One that the law switches on.
MachineProfile Fast() {
  MachineProfile profile;
  profile.cores = 8;
  profile.latency_ns = 100;
  profile.loaded_latency_ns = 125;
  profile.jitter_ns = 25;
  profile.misses_in_flight = 40;
  profile.reads = {{1, 32, 0, 20e9}, {8, 32, 0, 80e9}};
  profile.gains = {{1, 1.1, 1.2}, {2, 1.2, 1.4}, {4, 1.25, 1.7}, {8, 1.24, 1.9}, {16, 1.1, 1.3}};
  return profile;
}

constexpr int kCases = 5000;

TEST(Law, IsLittlesLaw) {
  const MachineProfile profile = Fast();
  // One thread: (125 + 25) ns x 16 GB/s = 2400 bytes, 37.5 lines.
  EXPECT_EQ(ChoosePrefetch(profile, {.hot_bytes_per_s = 16e9}),
            (PrefetchPlan{true, 38 * 64, 1, PrefetchHint::kL1}));
  // Eight share 80 GB/s: 150 ns x 10 GB/s = 1500 bytes, 23.4 lines; four streams of six lines.
  EXPECT_EQ(ChoosePrefetch(profile, {.hot_bytes_per_s = 16e9, .threads = 8, .max_streams = 4}),
            (PrefetchPlan{true, 24 * 64, 4, PrefetchHint::kL1}));
}

TEST(Law, KeepsNoMoreInFlightThanTheCoreCan) {
  MachineProfile profile = Fast();
  profile.misses_in_flight = 10;
  // 10 lines, and 25 ns x 16 GB/s = 400 bytes of jitter, 6.25 lines.
  EXPECT_EQ(ChoosePrefetch(profile, {.hot_bytes_per_s = 16e9}).distance_bytes, 17 * 64);
}

TEST(Law, PagesOf4KiBAddTheirWalk) {
  MachineProfile profile = Fast();
  profile.latency_4k_ns = 150;
  const PrefetchAccess access{.hot_bytes_per_s = 6.4e9, .pages = PageSize::k4K};
  EXPECT_EQ(ChoosePrefetch(profile, access).distance_bytes, 200 / 10 * 64);
}

TEST(Law, StaysWithinItsBounds) {
  Random random;
  int on = 0;
  for (int i = 0; i < kCases; ++i) {
    const MachineProfile profile = AnyProfile(random);
    const PrefetchAccess access = AnyAccess(random);
    const PrefetchPlan plan = ChoosePrefetch(profile, access);
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
    if (plan.hint == PrefetchHint::kL1) {
      EXPECT_LE(plan.distance_bytes, l1);
    } else {
      EXPECT_LT(l1, 64);
      EXPECT_LE(plan.distance_bytes, std::max<int64_t>(l2, 64));
    }
    EXPECT_EQ(plan, ChoosePrefetch(profile, access));
  }
  EXPECT_GT(on, kCases / 2);
}

// Raises one input of random cases step by step: the distance must never fall.
void ExpectNeverDecreasing(
    const std::function<void(MachineProfile&, PrefetchAccess&, double)>& raise) {
  Random random;
  int rises = 0;
  for (int i = 0; i < kCases / 5; ++i) {
    MachineProfile profile = AnyProfile(random);
    PrefetchAccess access = AnyAccess(random);
    int64_t last = -1;
    for (int step = 0; step < 20; ++step) {
      raise(profile, access, 1.3);
      const PrefetchPlan plan = ChoosePrefetch(profile, access);
      if (!plan.on) break;
      if (last >= 0) {
        EXPECT_GE(plan.distance_bytes, last);
        if (plan.distance_bytes > last) ++rises;
      }
      last = plan.distance_bytes;
    }
  }
  EXPECT_GT(rises, 100);
}

TEST(Law, NeverDecreasesWithLatency) {
  ExpectNeverDecreasing(
      [](MachineProfile& profile, PrefetchAccess&, double by) { profile.loaded_latency_ns *= by; });
  ExpectNeverDecreasing([](MachineProfile& profile, PrefetchAccess&, double by) {
    profile.latency_ns *= by;
    profile.latency_4k_ns *= by;
    profile.loaded_latency_ns *= by;
  });
  ExpectNeverDecreasing(
      [](MachineProfile& profile, PrefetchAccess&, double by) { profile.jitter_ns *= by; });
}

TEST(Law, NeverDecreasesWithRate) {
  ExpectNeverDecreasing(
      [](MachineProfile&, PrefetchAccess& access, double by) { access.hot_bytes_per_s *= by; });
  ExpectNeverDecreasing([](MachineProfile& profile, PrefetchAccess&, double by) {
    for (ReadSpeed& read : profile.reads) read.bytes_per_s *= by;
  });
  ExpectNeverDecreasing(
      [](MachineProfile& profile, PrefetchAccess&, double by) { profile.misses_in_flight *= by; });
}

TEST(Law, MakesRoomForSiblingsAndTheKernel) {
  MachineProfile profile = Fast();
  profile.l1d_bytes = 4 << 10;
  const PrefetchAccess access{.hot_bytes_per_s = 20e9};  // wants 3000 bytes
  EXPECT_EQ(ChoosePrefetch(profile, access).distance_bytes, 47 * 64);
  PrefetchAccess large = access;
  large.working_set_bytes = 3 << 10;
  EXPECT_EQ(ChoosePrefetch(profile, large).distance_bytes, 1 << 10);
  PrefetchAccess crowded = access;
  crowded.threads = 16;  // on 8 cores
  profile.reads = {{1, 32, 0, 20e9}, {16, 32, 0, 320e9}};
  EXPECT_EQ(ChoosePrefetch(profile, crowded).distance_bytes, 2 << 10);
}

TEST(Law, FetchesIntoL2WhenTheKernelFillsL1) {
  const MachineProfile profile = Fast();
  const PrefetchPlan plan =
      ChoosePrefetch(profile, {.hot_bytes_per_s = 16e9, .working_set_bytes = 32 << 10});
  EXPECT_EQ(plan, (PrefetchPlan{true, 38 * 64, 1, PrefetchHint::kL2}));
}

TEST(Law, IsOffForWhatStaysInCache) {
  const MachineProfile profile = Fast();
  EXPECT_FALSE(ChoosePrefetch(profile, {.revisit_bytes = profile.l2_bytes}).on);
  EXPECT_TRUE(ChoosePrefetch(profile, {.revisit_bytes = profile.l2_bytes + 1}).on);
  EXPECT_FALSE(ChoosePrefetch(profile, {.threads = 4, .revisit_bytes = 4 * profile.l2_bytes}).on);
}

TEST(Law, IsOffWhereNothingWasGained) {
  MachineProfile profile = Fast();
  for (StreamGain& gain : profile.gains) gain.contiguous = 0.99;
  EXPECT_FALSE(ChoosePrefetch(profile, {.max_streams = 16}).on);
  EXPECT_TRUE(ChoosePrefetch(profile, {.run_bytes = 8 << 10, .max_streams = 16}).on);
}

TEST(Law, SurvivesNonsense) {
  const PrefetchPlan usual = ChoosePrefetch(MachineProfile(), {});
  ASSERT_TRUE(usual.on);
  for (double bad : {0.0, -1.0, kNaN, kInfinity, -kInfinity, 1e300}) {
    for (double MachineProfile::*field :
         {&MachineProfile::latency_ns, &MachineProfile::latency_4k_ns,
          &MachineProfile::loaded_latency_ns, &MachineProfile::jitter_ns,
          &MachineProfile::misses_in_flight}) {
      MachineProfile profile;
      profile.*field = bad;
      const PrefetchPlan plan = ChoosePrefetch(profile, {.pages = PageSize::k4K});
      EXPECT_TRUE(plan.on);
      EXPECT_GE(plan.distance_bytes, 64);
      EXPECT_LE(plan.distance_bytes, profile.l1d_bytes);
    }
    MachineProfile profile;
    for (ReadSpeed& read : profile.reads) read.bytes_per_s = bad;
    EXPECT_GE(ChoosePrefetch(profile, {}).distance_bytes, 64) << bad;
    EXPECT_TRUE(ChoosePrefetch({}, {.hot_bytes_per_s = bad}).on) << bad;
  }
  MachineProfile profile;
  profile.loaded_latency_ns = profile.reads[0].bytes_per_s = kNaN;
  profile.reads.pop_back();
  profile.gains = {{1, kNaN, 1}};
  EXPECT_EQ(ChoosePrefetch(profile, {}), usual);
  profile = {};
  profile.l1d_bytes = std::numeric_limits<int64_t>::min();
  EXPECT_GE(ChoosePrefetch(profile, {}).distance_bytes, 64);
  profile = {};
  profile.reads.clear();
  profile.gains.clear();
  EXPECT_EQ(ChoosePrefetch(profile, {}), usual);

  for (int64_t bad : {int64_t{0}, int64_t{-1}, std::numeric_limits<int64_t>::min(),
                      std::numeric_limits<int64_t>::max()}) {
    const int clamped = static_cast<int>(std::clamp<int64_t>(bad, -5, 1 << 30));
    const PrefetchPlan plan = ChoosePrefetch({}, {.tile_bytes = bad,
                                                  .run_bytes = bad,
                                                  .threads = clamped,
                                                  .working_set_bytes = bad,
                                                  .max_streams = clamped,
                                                  .revisit_bytes = bad});
    EXPECT_TRUE(plan.on) << bad;
    EXPECT_GE(plan.distance_bytes, 64) << bad;
    EXPECT_LE(plan.distance_bytes, 1 << 20) << bad;
  }
}

TEST(Breadth, TakesTheBestThatTheKernelCanWalk) {
  const MachineProfile profile = Fast();
  const auto streams = [&](int max_streams, int64_t run_bytes) {
    return ChooseBreadth(profile, {.run_bytes = run_bytes, .max_streams = max_streams}).streams;
  };
  EXPECT_EQ(streams(16, 1), 8);
  EXPECT_EQ(streams(7, 1), 4);
  EXPECT_EQ(streams(1, 1), 1);
  EXPECT_EQ(streams(0, 1), 1);
  EXPECT_EQ(streams(16, PrefetchAccess::kNever), 4);
  EXPECT_DOUBLE_EQ(ChooseBreadth(profile, {.run_bytes = 32 << 10}).gain, 0.25 * 1.2 + 0.75 * 1.1);
}

TEST(Breadth, KeepsTheNarrowerOfEquals) {
  MachineProfile profile;
  profile.gains = {{8, 1.51, 1.51}, {4, 1.5, 1.5}};
  EXPECT_EQ(ChooseBreadth(profile, {.max_streams = 16}).streams, 4);
  EXPECT_EQ(ChooseBreadth(profile, {.max_streams = 3}).streams, 3);
}

}  // namespace
}  // namespace bitfetch
