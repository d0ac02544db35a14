// SPDX-License-Identifier: Apache-2.0
#include "machine/profile_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

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
  profile.kernels = {{"avx2 f16",
                      16,
                      21e9,
                      {{PageSize::k4K, 1, PrefetchHint::kL1, 1, {1.01}, {1.1, 1.05, 1.2}},
                       {PageSize::kHuge, 12, PrefetchHint::kL2, 8, {1.25}, {1.9, 1.8, 1.9}}}},
                     {"avx2 fives", 1.6, 11e9, {{}}, KernelData::kWeights}};
  return profile;
}

TEST(ProfileJson, SurvivesJson) {
  const MachineProfile profile = Measured();
  const std::string text = ProfileToJson(profile, "1.2.3");
  const auto stored = ProfileFromJson(text, "1.2.3");
  ASSERT_TRUE(stored.has_value()) << stored.error().message;
  const MachineProfile& back = stored->value();
  EXPECT_EQ(back.cpu, profile.cpu);
  EXPECT_EQ(back.source, ProfileSource::kTune);
  EXPECT_EQ(back.latency_ns, profile.latency_ns);  // to the last bit
  EXPECT_EQ(back.reads.size(), 2);
  EXPECT_EQ(back.kernels[0].name, "avx2 f16");
  EXPECT_EQ(back.kernels[0].data, KernelData::kKv);
  EXPECT_EQ(back.kernels[1].data, KernelData::kWeights);
  EXPECT_EQ(back.kernels[0].gains[0].pages, PageSize::k4K);
  EXPECT_EQ(back.kernels[0].gains[0].hint, PrefetchHint::kL1);
  EXPECT_EQ(back.kernels[0].gains[1].paged.times, 1.9);
  EXPECT_EQ(back.kernels[0].gains[1].paged.min, 1.8);
  EXPECT_EQ(ProfileToJson(back, "1.2.3"), text);
}

TEST(ProfileJson, AnotherVersionOrFormatIsNone) {
  Json json = Json::parse(ProfileToJson(Measured(), "1.2.3"));
  const auto expect_none = [](const std::string& text, const char* version) {
    const auto stored = ProfileFromJson(text, version);
    ASSERT_TRUE(stored.has_value()) << stored.error().message;
    EXPECT_FALSE(stored->has_value());
  };
  expect_none(json.dump(), "1.2.4");
  expect_none(R"({"bitfetch": "1.2.3", "cpu": "x"})", "1.2.3");  // before formats were counted
  json["bitfetch"] = "1.2.3, format 1";
  expect_none(json.dump(), "1.2.3");
}

TEST(ProfileJson, ANameThatIsNoUtf8DoesNotThrow) {
  MachineProfile profile;
  profile.cpu = "\xff\xfe";
  EXPECT_TRUE(ProfileFromJson(ProfileToJson(profile, "1"), "1").has_value());
}

TEST(ProfileJson, EveryFieldIsNeededAndOfItsType) {
  const Json good = Json::parse(ProfileToJson(Measured(), "1"));
  const auto expect_refused = [](const Json& json, const std::string& key) {
    const auto stored = ProfileFromJson(json.dump(), "1");
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
  using Path = Json::json_pointer;
  for (const char* list : {"/reads", "/kernels", "/kernels/0/gains"}) {
    const std::string key = Path(list).back();
    for (const auto& [field, value] : good[Path(list)][0].items()) {
      Json json = good;
      json[Path(list)][1].erase(field);
      expect_refused(json, key);
      for (const Json& wrong : {Json("?"), Json(-3), Json(true)}) {
        if (wrong.type() == value.type()) continue;
        json = good;
        json[Path(list)][1][field] = wrong;
        expect_refused(json, key);
      }
    }
    Json json = good;
    json[Path(list)] = Json::array();
    expect_refused(json, key);
    json[Path(list)] = {1, 2};
    expect_refused(json, key);
  }
  for (const char* field : {"pages", "hint"}) {
    Json json = good;
    json["kernels"][0]["gains"][0][field] = "?";
    expect_refused(json, field);
  }
  for (const char* field : {"times", "min", "max"}) {
    Json json = good;
    Json& speedup = json["kernels"][0]["gains"][0]["paged"];
    for (const Json& wrong : {Json("?"), Json(-3), Json(true), Json(1e9), Json()}) {
      speedup[field] = wrong;
      expect_refused(json, "paged");
    }
    speedup.erase(field);
    expect_refused(json, "paged");
    speedup = {{"times", 1.2}, {"min", 1.3}, {"max", 1.4}};
    expect_refused(json, "not between min and max");
  }
  Json json = good;
  json["more"] = 1;
  expect_refused(json, "unknown fields");
}

TEST(ProfileJson, DamagedTextIsAnError) {
  const std::string good = ProfileToJson(Measured(), "1");
  for (size_t length = 0; length + 2 < good.size(); length += 7) {
    EXPECT_FALSE(ProfileFromJson(good.substr(0, length), "1").has_value()) << length;
  }
  for (const std::string& text :
       {std::string("[]"), std::string("null"), std::string("\0\0", 2), std::string(100000, '[')}) {
    EXPECT_FALSE(ProfileFromJson(text, "1").has_value());
  }
}

}  // namespace
}  // namespace bitfetch
