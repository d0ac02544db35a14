// SPDX-License-Identifier: Apache-2.0
#include "machine/profile.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "machine/profile_json.h"

namespace bitfetch {
namespace {

using ::testing::HasSubstr;

TEST(Profile, TheDefaultIsSane) {
  EXPECT_TRUE(CheckProfile(MachineProfile()).has_value());
  EXPECT_FALSE(MachineProfile().measured());
  Topology topology;
  topology.cpu = "x";
  topology.l2_bytes = 1 << 20;
  topology.cache_source = CacheSource::kHwloc;
  const MachineProfile profile = DefaultProfile(topology);
  EXPECT_EQ(profile.cpu, "x");
  EXPECT_EQ(profile.l2_bytes, 1 << 20);
  EXPECT_TRUE(CheckProfile(profile).has_value());
}

TEST(Profile, ChecksNameTheField) {
  MachineProfile profile;
  profile.jitter_ns = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THAT(CheckProfile(profile).error().message, HasSubstr("jitter_ns is nan"));
  profile = {};
  profile.kernels[0].gains[0].streams = 0;
  EXPECT_THAT(CheckProfile(profile).error().message, HasSubstr("gains: streams is 0"));
  profile.kernels[0].gains[0] = {.contiguous = {1.2, 1.3, 1.4}};
  EXPECT_THAT(CheckProfile(profile).error().message, HasSubstr("not between min and max"));
  EXPECT_TRUE(CheckProfile(ClampProfile(profile)).has_value());
  profile.kernels[0].gains.clear();
  EXPECT_THAT(CheckProfile(profile).error().message, HasSubstr("gains is empty"));
  profile.kernels.clear();
  EXPECT_THAT(CheckProfile(profile).error().message, HasSubstr("kernels is empty"));
}

TEST(Profile, NamesOfKernelsAreShownAndSoArePrintable) {
  MachineProfile profile;
  profile.kernels[0].name = "f16\n\x1b[2J";
  EXPECT_THAT(CheckProfile(profile).error().message, HasSubstr("f16\\x0a\\x1b[2J"));
  EXPECT_TRUE(CheckProfile(ClampProfile(profile)).has_value());
}

TEST(Profile, ClampingMakesItSaneAndLeavesSaneOnesAlone) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  MachineProfile profile;
  profile.cores = -3;
  profile.latency_ns = nan;
  profile.jitter_ns = 1e300;
  profile.reads = {{0, 0, -1, nan}};
  profile.kernels = {
      {"a", 0, -1, {{.threads = 0, .streams = 0, .contiguous = {0}}, {.paged = {nan}}}},
      {"b", 16, 1e9, {{.paged = {nan}}}},
      {"c", nan, 1e9, {{}}}};
  const MachineProfile sane = ClampProfile(profile);
  EXPECT_TRUE(CheckProfile(sane).has_value());
  EXPECT_EQ(sane.latency_ns, MachineProfile().latency_ns);
  ASSERT_EQ(sane.kernels.size(), 1);
  EXPECT_EQ(sane.kernels[0].gains.size(), 1);
  EXPECT_EQ(ProfileToJson(ClampProfile(sane), ""), ProfileToJson(sane, ""));
}

TEST(FindKernel, GoesByName) {
  MachineProfile profile;
  profile.kernels = {{"a", 16, 1e9, {{}}}, {"b", 8, 1e9, {{}}}};
  EXPECT_EQ(FindKernel(profile, "b"), &profile.kernels[1]);
  EXPECT_EQ(FindKernel(profile, "c"), nullptr);
}

TEST(ReadBytesPerSecond, TakesTheBestAndGoesStraightBetween) {
  MachineProfile profile;
  profile.reads = {{2, 16, 0, 5e9}, {2, 16, 4, 10e9}, {6, 16, 0, 30e9}};
  EXPECT_EQ(ReadBytesPerSecond(profile, 1), 10e9);
  EXPECT_EQ(ReadBytesPerSecond(profile, 2), 10e9);
  EXPECT_EQ(ReadBytesPerSecond(profile, 3), 15e9);
  EXPECT_EQ(ReadBytesPerSecond(profile, 6), 30e9);
  EXPECT_EQ(ReadBytesPerSecond(profile, 100), 30e9);
}

}  // namespace
}  // namespace bitfetch
