// SPDX-License-Identifier: Apache-2.0
#include "machine/probe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace bitfetch {
namespace {

using ::testing::HasSubstr;

TEST(MeasureMachine, MeasuresOrSaysThatTheMachineIsBusy) {
  for (int threads : {1, 2, 3}) {
    Topology topology;
    topology.threads = threads;
    topology.last_level_bytes = 1 << 20;  // a small buffer: this tests the path, not the numbers
    const auto measured = MeasureMachine(topology, ProbeEffort::kTune);
    if (!measured) {
      EXPECT_THAT(measured.error().message, HasSubstr("busy"));
      continue;
    }
    const MachineProfile* profile = &measured->profile;
    EXPECT_TRUE(CheckProfile(*profile).has_value());
    EXPECT_EQ(profile->source, ProfileSource::kTune);
    EXPECT_GE(profile->loaded_latency_ns, profile->latency_ns);
    if (!measured->complete) continue;
    EXPECT_GE(profile->latency_4k_ns, profile->latency_ns);
    std::set<int> counts, streams;
    for (const ReadSpeed& read : profile->reads) counts.insert(read.threads);
    for (const StreamGain& gain : profile->gains) streams.insert(gain.streams);
    for (int count = 1; count < threads; count *= 2) EXPECT_TRUE(counts.contains(count));
    EXPECT_TRUE(counts.contains(threads));
    EXPECT_EQ(streams, (std::set{1, 2, 4, 8, 16}));
  }
}

TEST(MeasureMachine, CachesLargerThanMemoryAreAnError) {
  Topology topology;
  topology.last_level_bytes = int64_t{1} << 40;
  const auto profile = MeasureMachine(topology, ProbeEffort::kQuick);
  ASSERT_FALSE(profile.has_value());
  EXPECT_THAT(profile.error().message, HasSubstr("no memory to measure with"));
}

}  // namespace
}  // namespace bitfetch
