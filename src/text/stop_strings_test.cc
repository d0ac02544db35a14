// SPDX-License-Identifier: Apache-2.0
#include "text/stop_strings.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "base/utf8.h"

namespace bitfetch {
namespace {

StopStrings MakeStops(std::vector<std::string> stops) {
  Result<StopStrings> created = StopStrings::Create(std::move(stops));
  EXPECT_TRUE(created) << created.error().message;
  return *std::move(created);
}

TEST(StopStrings, WithoutAnyTextPasses) {
  StopStrings stops = MakeStops({});
  EXPECT_EQ(stops.Feed("abc"), "abc");
  EXPECT_EQ(stops.Finish(), "");
  EXPECT_FALSE(stops.stopped());
}

TEST(StopStrings, HoldsBackOnlyWhatMayBeginAStop) {
  StopStrings stops = MakeStops({"User:"});
  EXPECT_EQ(stops.Feed("a Us"), "a ");
  EXPECT_EQ(stops.Feed("Use"), "Us");
  EXPECT_EQ(stops.Feed("d x"), "Used x");
  EXPECT_EQ(stops.Feed("yUser"), "y");
  EXPECT_EQ(stops.Finish(), "User");
  EXPECT_FALSE(stops.stopped());
}

TEST(StopStrings, DropsTheStopAndAllAfterIt) {
  StopStrings stops = MakeStops({"\n\n", "END"});
  EXPECT_EQ(stops.Feed("one\ntwo E"), "one\ntwo ");
  EXPECT_EQ(stops.Feed("ND three"), "");
  EXPECT_TRUE(stops.stopped());
  EXPECT_EQ(stops.Feed("four"), "");
  EXPECT_EQ(stops.Finish(), "");
}

TEST(StopStrings, TheFirstToBeCompleteWins) {
  StopStrings stops = MakeStops({"abcd", "c", "bc"});
  EXPECT_EQ(stops.Feed("xabcd"), "xa");
  EXPECT_TRUE(stops.stopped());
}

// Against the definition, with stops that begin within each other, in every way of cutting the
// text.
TEST(StopStrings, SameAsTheDefinitionHoweverTheTextIsCut) {
  std::mt19937 random(9);
  const auto word = [&](uint32_t longest) {
    std::string s;
    for (uint32_t n = 1 + random() % longest; n > 0; --n)
      s += static_cast<char>('a' + random() % 2);
    return s;
  };
  for (int round = 0; round < 3000; ++round) {
    std::vector<std::string> list;
    for (uint32_t n = random() % 4; n > 0; --n) list.push_back(word(5));
    const std::string text = word(20);

    std::string expected = text;
    bool expect_stop = false;
    for (size_t end = 1; end <= text.size() && !expect_stop; ++end) {
      for (const std::string& stop : list) {
        const std::string head = text.substr(0, end);
        if (!head.ends_with(stop)) continue;
        if (!expect_stop || end - stop.size() < expected.size())
          expected = head.substr(0, end - stop.size());
        expect_stop = true;
      }
    }

    StopStrings stops = MakeStops(list);
    std::string shown;
    for (size_t at = 0; at < text.size();) {
      const size_t size = 1 + random() % 6;
      shown += stops.Feed(text.substr(at, size));
      at += size;
      ASSERT_TRUE(text.starts_with(shown));
    }
    const bool stopped = stops.stopped();
    shown += stops.Finish();
    ASSERT_EQ(shown, expected);
    ASSERT_EQ(stopped, expect_stop);
  }
}

TEST(StopStrings, ShowsWholeCharactersAfterUtf8Stream) {
  StopStrings stops = MakeStops({"é!"});
  Utf8Stream characters;
  std::string shown;
  for (const char byte : std::string("cafè é? é!x")) {
    const std::string safe = stops.Feed(characters.Feed(std::string(1, byte)));
    EXPECT_TRUE(IsUtf8(safe));
    shown += safe;
  }
  EXPECT_EQ(shown, "cafè é? ");
  EXPECT_TRUE(stops.stopped());
}

TEST(StopStrings, RefusesWhatCanNotStop) {
  EXPECT_EQ(StopStrings::Create({"a", ""}).error().message, "a stop string is empty");
  EXPECT_EQ(StopStrings::Create({"a\xa9"}).error().message,
            "the stop string \"a\\xa9\" is not UTF-8");
}

}  // namespace
}  // namespace bitfetch
