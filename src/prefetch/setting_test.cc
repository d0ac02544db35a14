// SPDX-License-Identifier: Apache-2.0
#include "prefetch/setting.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace bitfetch {
namespace {

using ::testing::HasSubstr;

TEST(PrefetchSetting, ComesBackAsItWasGiven) {
  for (const char* text : {"auto", "law", "off", "1", "64", "100", "4096", "1048576"}) {
    const auto setting = ParsePrefetchSetting(text);
    ASSERT_TRUE(setting.has_value()) << text;
    EXPECT_EQ(PrefetchSettingText(*setting), text);
  }
}

TEST(PrefetchSetting, QuotesWhatItCannotRead) {
  for (const char* text : {"", "on", "Auto", " auto", "Law", "0", "-64", "+64", "064", "0x40",
                           "64k", "64 ", "1e3", "1048577", "99999999999999999999"}) {
    const auto setting = ParsePrefetchSetting(text);
    ASSERT_FALSE(setting.has_value()) << text;
    EXPECT_THAT(setting.error().message, HasSubstr(fmt::format("'{}' is no prefetch", text)));
  }
}

PrefetchPlan Resolve(std::string_view text, const PrefetchAccess& access) {
  MachineProfile profile;
  profile.kernels[0].gains = {
      {.hint = PrefetchHint::kL1, .streams = 1, .contiguous = {1.1}, .paged = {0.5}},
      {.hint = PrefetchHint::kL2, .streams = 8, .contiguous = {1.5}, .paged = {0.9}}};
  return ResolvePrefetch(ParsePrefetchSetting(text).value(), profile, access);
}

TEST(ResolvePrefetch, ObeysTheSettingAndKeepsTheLawsStreamsAndHint) {
  const PrefetchAccess access{.max_streams = 8};
  constexpr PrefetchHint kL2 = PrefetchHint::kL2;
  EXPECT_EQ(Resolve("off", access), PrefetchPlan{});
  EXPECT_TRUE(Resolve("auto", access).on);
  EXPECT_EQ(Resolve("law", access), Resolve("auto", access));
  EXPECT_EQ(Resolve("64", access), (PrefetchPlan{true, 64, 1, kL2}));
  EXPECT_EQ(Resolve("100", access), (PrefetchPlan{true, 128, 2, kL2}));
  EXPECT_EQ(Resolve("4096", access), (PrefetchPlan{true, 4096, 8, kL2}));
  EXPECT_EQ(Resolve("1048576", access), (PrefetchPlan{true, 1048576, 8, kL2}));
  EXPECT_EQ(Resolve("4096", {.max_streams = 1}), (PrefetchPlan{true, 4096, 1, PrefetchHint::kL1}));
}

TEST(ResolvePrefetch, AFixedDistanceOverrulesTheLaw) {
  const PrefetchAccess paged{.paged = true, .max_streams = 8};
  EXPECT_FALSE(Resolve("auto", paged).on);
  EXPECT_TRUE(Resolve("4096", paged).on);
}

TEST(ResolvePrefetch, ABrokenProfileCountsAsTheDefault) {
  MachineProfile broken;
  broken.kernels.clear();
  const auto setting = ParsePrefetchSetting("256").value();
  EXPECT_EQ(ResolvePrefetch(setting, broken, {}), ResolvePrefetch(setting, MachineProfile(), {}));
}

}  // namespace
}  // namespace bitfetch
