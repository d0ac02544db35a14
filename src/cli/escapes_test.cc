// SPDX-License-Identifier: Apache-2.0
#include "cli/escapes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace bitfetch {
namespace {

using ::testing::HasSubstr;

TEST(ReadEscapes, ReplacesWhatABackslashBegins) {
  const auto read = [](std::string_view text) { return ReadEscapes(text).value(); };
  EXPECT_EQ(read(""), "");
  EXPECT_EQ(read("plain \u00e9"), "plain \u00e9");
  EXPECT_EQ(read(R"(a\nb\tc\r\a\b\f\v\e)"), "a\nb\tc\r\a\b\f\v\x1b");
  EXPECT_EQ(read(R"(\\n \" \')"), "\\n \" '");
  EXPECT_EQ(read(R"(\x41\x0a1)"), "A\n1");
  EXPECT_EQ(read(R"(\xC3\xa9)"), "\u00e9");
  EXPECT_EQ(read(R"(a\0b\x00)"), std::string("a\0b\0", 4));
}

TEST(ReadEscapes, QuotesWhatItCannotRead) {
  for (const char* text :
       {R"(\q)", R"(\)", R"(a\)", R"(\x)", R"(\x4)", R"(\xg1)", R"(\x4g)", R"(\x-1)", R"(\ n)"}) {
    EXPECT_THAT(ReadEscapes(text).error().message, HasSubstr("is no escape")) << text;
  }
  EXPECT_THAT(ReadEscapes(R"(\q)").error().message, HasSubstr(R"('\q')"));
  EXPECT_THAT(ReadEscapes(R"(a\xff)").error().message, HasSubstr("make no UTF-8"));
}

TEST(ReadEscapes, LeavesATextThatWasNoUtf8AsItWas) {
  EXPECT_EQ(ReadEscapes("\xff\\n").value(), "\xff\n");
}

}  // namespace
}  // namespace bitfetch
