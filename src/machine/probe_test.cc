// SPDX-License-Identifier: Apache-2.0
#include "machine/probe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>

#include <set>

#include "machine/stream_read.h"

namespace bitfetch {
namespace {

using ::testing::HasSubstr;

TEST(MeasureMachine, MeasuresOrSaysThatMemoryIsSlowToCome) {
  for (int threads : {1, 2, 3}) {
    Topology topology;
    topology.threads = threads;
    topology.last_level_bytes = 1 << 20;  // a small buffer: this tests the path, not the numbers
    const auto measured = MeasureMachine(topology, ProbeEffort::kTune, {});
    if (!measured) {
      EXPECT_THAT(measured.error().message, HasSubstr("the system took"));
      continue;
    }
    const MachineProfile* profile = &measured->profile;
    EXPECT_TRUE(CheckProfile(*profile).has_value());
    EXPECT_EQ(profile->source, ProfileSource::kTune);
    EXPECT_GE(profile->loaded_latency_ns, profile->latency_ns);
    if (!measured->complete) continue;
    EXPECT_GE(profile->latency_4k_ns, profile->latency_ns);
    EXPECT_GE(profile->loaded_latency_4k_ns, profile->loaded_latency_ns);
    EXPECT_GE(profile->misses_in_flight, 1);
    std::set<int> counts;
    std::set<std::pair<int, int>> styles;
    for (const ReadSpeed& read : profile->reads) {
      counts.insert(read.threads);
      styles.insert({read.width_bytes, read.streams});
    }
    EXPECT_EQ(styles.size(), ReadStyles().size());
    for (int count = 1; count < threads; count *= 2) EXPECT_TRUE(counts.contains(count));
    EXPECT_TRUE(counts.contains(threads));
  }
}

TEST(MeasureMachine, ShowsKernelsColdMemoryOnBothPageSizes) {
  Topology topology;
  topology.threads = 2;
  topology.last_level_bytes = 1 << 20;
  std::vector<PageSize> pages;
  KernelProbe probe;
  probe.names = {"k"};
  probe.measure = [&](const KernelProbe::Ground& ground, MachineProfile& profile) {
    pages.push_back(ground.pages);
    EXPECT_EQ(ground.pool.threads(), 2);
    EXPECT_GE(ground.buffer.size(), size_t{32} << 20);
    if (!FindKernel(profile, "k")) profile.kernels.push_back({"k", 16, 1e9, {{}}});
    return true;
  };
  const auto measured = MeasureMachine(topology, ProbeEffort::kTune, probe);
  if (!measured || !measured->complete) GTEST_SKIP() << "the machine is too busy";
  EXPECT_EQ(pages, (std::vector{PageSize::kHuge, PageSize::k4K}));
  ASSERT_EQ(measured->profile.kernels.size(), 1);  // and no assumed one
  EXPECT_EQ(measured->profile.kernels[0].name, "k");
}

// By another program, say: `taskset -ap 1`.
TEST(MeasureMachine, IsNotCompleteWhereThreadsWerePinnedToOneCoreMeanwhile) {
  cpu_set_t before, one;
  ASSERT_EQ(sched_getaffinity(0, sizeof before, &before), 0);
  Topology topology;
  topology.threads = 2;
  topology.last_level_bytes = 1 << 20;
  KernelProbe probe;
  probe.measure = [&](const KernelProbe::Ground&, MachineProfile&) {
    CPU_ZERO(&one);
    for (int cpu = 0; CPU_COUNT(&one) == 0; ++cpu) {
      if (CPU_ISSET(cpu, &before)) CPU_SET(cpu, &one);
    }
    EXPECT_EQ(sched_setaffinity(0, sizeof one, &one), 0);
    return true;
  };
  const auto measured = MeasureMachine(topology, ProbeEffort::kQuick, probe);
  ASSERT_EQ(sched_setaffinity(0, sizeof before, &before), 0);
  if (!measured) GTEST_SKIP() << measured.error().message;
  EXPECT_FALSE(measured->complete);
  EXPECT_TRUE(CheckProfile(measured->profile));
}

TEST(MeasureMachine, CachesLargerThanMemoryAreAnError) {
  Topology topology;
  topology.last_level_bytes = int64_t{1} << 40;
  const auto profile = MeasureMachine(topology, ProbeEffort::kQuick, {});
  ASSERT_FALSE(profile.has_value());
  EXPECT_THAT(profile.error().message, HasSubstr("no memory to measure with"));
}

}  // namespace
}  // namespace bitfetch
