// SPDX-License-Identifier: Apache-2.0
#include "machine/profile.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>

namespace bitfetch {
namespace {

using ::testing::HasSubstr;
using Json = nlohmann::json;

MachineProfile Measured() {
  MachineProfile profile;
  profile.cpu = "A \"CPU\" with µ";
  profile.cores = 12;
  profile.l3_bytes = 0;
  profile.source = ProfileSource::kTune;
  profile.huge_pages = true;
  profile.latency_ns = 98.765432109876;
  profile.jitter_ns = 0;
  profile.reads = {{1, 32, 4, 21.5e9}, {12, 64, 0, 190e9}};
  profile.gains = {{1, 1.01, 1.1}, {8, 1.25, 1.9}};
  return profile;
}

TEST(Profile, SurvivesJson) {
  const MachineProfile profile = Measured();
  const std::string text = ProfileToJson(profile, "1.2.3");
  const auto stored = ProfileFromJson(text);
  ASSERT_TRUE(stored.has_value()) << stored.error().message;
  EXPECT_EQ(stored->version, "1.2.3");
  EXPECT_EQ(stored->profile.cpu, profile.cpu);
  EXPECT_EQ(stored->profile.source, ProfileSource::kTune);
  EXPECT_EQ(stored->profile.latency_ns, profile.latency_ns);  // to the last bit
  EXPECT_EQ(stored->profile.reads.size(), 2);
  EXPECT_EQ(stored->profile.gains[1].paged, 1.9);
  EXPECT_EQ(ProfileToJson(stored->profile, "1.2.3"), text);
}

TEST(Profile, ANameThatIsNoUtf8DoesNotThrow) {
  MachineProfile profile;
  profile.cpu = "\xff\xfe";
  EXPECT_TRUE(ProfileFromJson(ProfileToJson(profile, "1")).has_value());
}

TEST(Profile, EveryFieldIsNeededAndOfItsType) {
  const Json good = Json::parse(ProfileToJson(Measured(), "1"));
  const auto expect_refused = [](const Json& json, const std::string& key) {
    const auto stored = ProfileFromJson(json.dump());
    ASSERT_FALSE(stored.has_value()) << key;
    EXPECT_THAT(stored.error().message, HasSubstr(key));
  };
  for (const auto& [key, value] : good.items()) {
    Json json = good;
    json.erase(key);
    expect_refused(json, key);
    json = good;
    json[key] = Json::object();
    expect_refused(json, key);
    if (value.is_number()) {
      json[key] = -1;
      expect_refused(json, key);
      json[key] = 1e18;
      expect_refused(json, key);
    }
  }
  for (const char* list : {"reads", "gains"}) {
    for (const auto& [key, value] : good[list][0].items()) {
      Json json = good;
      json[list][1].erase(key);
      expect_refused(json, list);
      json = good;
      json[list][1][key] = "3";
      expect_refused(json, list);
      json[list][1][key] = -3;
      expect_refused(json, list);
    }
    Json json = good;
    json[list] = Json::array();
    expect_refused(json, list);
    json[list] = {1, 2};
    expect_refused(json, list);
  }
  Json json = good;
  json["more"] = 1;
  expect_refused(json, "unknown fields");
}

TEST(Profile, DamagedTextIsAnError) {
  const std::string good = ProfileToJson(Measured(), "1");
  for (size_t length = 0; length + 2 < good.size(); length += 7) {
    EXPECT_FALSE(ProfileFromJson(good.substr(0, length)).has_value()) << length;
  }
  for (const std::string& text :
       {std::string("[]"), std::string("null"), std::string("\0\0", 2), std::string(100000, '[')}) {
    EXPECT_FALSE(ProfileFromJson(text).has_value());
  }
}

TEST(Profile, TheDefaultIsSane) {
  EXPECT_TRUE(CheckProfile(MachineProfile()).has_value());
  EXPECT_FALSE(MachineProfile().measured());
  Topology topology;
  topology.cpu = "x";
  topology.l2_bytes = 1 << 20;
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
  profile.gains[0].streams = 0;
  EXPECT_THAT(CheckProfile(profile).error().message, HasSubstr("gains: streams is 0"));
}

TEST(Profile, ClampingMakesItSaneAndLeavesSaneOnesAlone) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  MachineProfile profile;
  profile.cores = -3;
  profile.latency_ns = nan;
  profile.jitter_ns = 1e300;
  profile.reads = {{0, 0, -1, nan}};
  profile.gains = {{0, 0, 0}, {2, nan, 1}};
  const MachineProfile sane = ClampProfile(profile);
  EXPECT_TRUE(CheckProfile(sane).has_value());
  EXPECT_EQ(sane.latency_ns, MachineProfile().latency_ns);
  EXPECT_EQ(sane.gains.size(), 1);
  EXPECT_EQ(ProfileToJson(ClampProfile(Measured()), ""), ProfileToJson(Measured(), ""));
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
