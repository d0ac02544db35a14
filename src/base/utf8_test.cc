// SPDX-License-Identifier: Apache-2.0
#include "base/utf8.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <utility>
#include <vector>

namespace bitfetch {
namespace {

#define FFFD "\xef\xbf\xbd"

// Encodes whatever it is given, surrogates and numbers past U+10FFFF too.
std::string Encode(uint32_t c) {
  std::string s;
  const auto put = [&s](uint32_t byte) { s.push_back(static_cast<char>(byte)); };
  if (c < 0x80) {
    put(c);
  } else if (c < 0x800) {
    put(0xc0 | c >> 6);
    put(0x80 | (c & 63));
  } else if (c < 0x10000) {
    put(0xe0 | c >> 12);
    put(0x80 | (c >> 6 & 63));
    put(0x80 | (c & 63));
  } else {
    put(0xf0 | c >> 18);
    put(0x80 | (c >> 12 & 63));
    put(0x80 | (c >> 6 & 63));
    put(0x80 | (c & 63));
  }
  return s;
}

TEST(Utf8, EveryCharacterIsWholeAndEveryBeginningUnfinished) {
  for (uint32_t c = 0; c < 0x110000; ++c) {
    if (c >= 0xd800 && c < 0xe000) continue;
    const std::string s = Encode(c);
    const Utf8Step step = NextUtf8(s + "\x80");
    ASSERT_EQ(step.kind, Utf8Step::kCharacter) << c;
    ASSERT_EQ(step.size, s.size()) << c;
    for (size_t n = 1; n < s.size(); ++n) {
      const Utf8Step cut = NextUtf8(s.substr(0, n));
      ASSERT_EQ(cut.kind, Utf8Step::kUnfinished) << c;
      ASSERT_EQ(cut.size, n) << c;
    }
  }
}

TEST(Utf8, SurrogatesAndPastTheLastAreBroken) {
  for (uint32_t c = 0xd800; c < 0xe000; ++c) ASSERT_FALSE(IsUtf8(Encode(c))) << c;
  for (uint32_t c : {0x110000u, 0x13ffffu, 0x1fffffu}) EXPECT_FALSE(IsUtf8(Encode(c))) << c;
}

TEST(Utf8, OneReplacementForEachMaximalSubpart) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", ""},
      {"plain", "plain"},
      {std::string("a\0b", 3), std::string("a\0b", 3)},
      {"\x80", FFFD},
      {"\xff\xfe", FFFD FFFD},
      {"\xc0\xaf", FFFD FFFD},                    // overlong
      {"\xe0\x80\x80", FFFD FFFD FFFD},           // overlong
      {"\xed\xa0\x80", FFFD FFFD FFFD},           // a surrogate
      {"\xf4\x90\x80\x80", FFFD FFFD FFFD FFFD},  // past U+10FFFF
      {"\xe2\x82", FFFD},                         // cut off
      {"\xe2\x82x", FFFD "x"},
      {"\xf0\x9f\x98", FFFD},
      {"\xf0\x9f\x98\xf0\x9f\x98\x80", FFFD "\xf0\x9f\x98\x80"},
      // The example of Unicode's table 3-11.
      {"\xe1\x80\xe2\xf0\x91\x92\xf1\xbf\x41", FFFD FFFD FFFD FFFD "A"},
  };
  for (const auto& [broken, mended] : cases) {
    size_t replaced = 0;
    EXPECT_EQ(ReplaceBrokenUtf8(broken, &replaced), mended);
    size_t expected = 0;
    for (size_t at = mended.find(FFFD); at != std::string::npos; at = mended.find(FFFD, at + 1))
      ++expected;
    EXPECT_EQ(replaced, expected);
    EXPECT_EQ(IsUtf8(broken), expected == 0);
  }
}

TEST(Utf8, CountsAreAddedUp) {
  size_t replaced = 5;
  ReplaceBrokenUtf8("\x80\x80", &replaced);
  EXPECT_EQ(replaced, 7u);
}

// However the bytes are cut, the stream says the same as the whole text at once, and only whole
// characters.
TEST(Utf8Stream, DoesNotDependOnTheCuts) {
  std::mt19937 random(7);
  const std::vector<std::string> pieces = {
      "a",    "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xe2\x82", "\xf0\x9f",
      "\x80", "\xff",     "\xc3",         "\xed\xa0\x80",     " ",        "\xf4\x90"};
  for (int round = 0; round < 3000; ++round) {
    std::string text;
    for (uint32_t n = random() % 12; n > 0; --n) text += pieces[random() % pieces.size()];
    Utf8Stream stream;
    std::string out;
    for (size_t at = 0; at < text.size();) {
      const size_t size = 1 + random() % 4;
      const std::string fed = stream.Feed(text.substr(at, size));
      ASSERT_TRUE(IsUtf8(fed));
      out += fed;
      at += size;
    }
    out += stream.Finish();
    ASSERT_EQ(out, ReplaceBrokenUtf8(text));
    ASSERT_EQ(stream.Finish(), "");
  }
}

TEST(Utf8Stream, HandsOutACharacterWithItsLastByte) {
  Utf8Stream stream;
  EXPECT_EQ(stream.Feed("x\xf0"), "x");
  EXPECT_EQ(stream.Feed("\x9f\x98"), "");
  EXPECT_EQ(stream.Feed("\x80"), "\xf0\x9f\x98\x80");
  EXPECT_EQ(stream.Feed("\xe2\x82"), "");
  EXPECT_EQ(stream.Finish(), FFFD);
}

}  // namespace
}  // namespace bitfetch
