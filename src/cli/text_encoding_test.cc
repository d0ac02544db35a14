// SPDX-License-Identifier: Apache-2.0
#include "cli/text_encoding.h"

#include <gmock/gmock.h>

#include <fstream>

#include "base/temp_dir.h"
#include "cli/test_commands.h"
#include "cli/test_program.h"

namespace bitfetch {
namespace {

using ::testing::HasSubstr;

const std::string kMark = "\xef\xbb\xbf";
const std::string kUtf16("\xff\xfeI\0n\0\n\0", 8);

std::string Dropped(std::string text) {
  const Status status = TakeUtf8("f", &text);
  return status ? text : status.error().message;
}

TEST(TextEncoding, AMarkInFrontIsDropped) {
  EXPECT_EQ(Dropped(""), "");
  EXPECT_EQ(Dropped(kMark), "");
  EXPECT_EQ(Dropped(kMark + kMark + "a"), kMark + "a");
  EXPECT_EQ(Dropped("a" + kMark), "a" + kMark);
  EXPECT_EQ(Dropped("\xef\xbb"), "\xef\xbb");
}

std::string Refusal(const std::string& encoding) {
  return "f: the text is " + encoding + ", and has to be UTF-8: convert it with iconv -f " +
         encoding + " -t UTF-8";
}

TEST(TextEncoding, OtherMarksAreErrorsThatNameTheEncoding) {
  EXPECT_EQ(Dropped(kUtf16), Refusal("UTF-16"));
  EXPECT_EQ(Dropped(std::string("\xfe\xff\0I", 4)), Refusal("UTF-16"));
  EXPECT_EQ(Dropped(std::string("\xff\xfe\0\0I\0\0\0", 8)), Refusal("UTF-32"));
  EXPECT_EQ(Dropped(std::string("\0\0\xfe\xff\0\0\0I", 8)), Refusal("UTF-32"));
}

// `text` with `bytes` for each character, the least first or last.
std::string InUnits(const std::u32string& text, int bytes, bool little_endian) {
  std::string units;
  for (const char32_t c : text) {
    for (int i = 0; i < bytes; ++i) {
      units += static_cast<char>(c >> 8 * (little_endian ? i : bytes - 1 - i));
    }
  }
  return units;
}

TEST(TextEncoding, NulsTellWhereThereIsNoMark) {
  for (const std::u32string text :
       {U"In", U"In the beginning\n",
        U"\u0412 \u043d\u0430\u0447\u0430\u043b\u0435 \u0431\u044b\u043b\u043e"}) {
    EXPECT_EQ(Dropped(InUnits(text, 2, true)), Refusal("UTF-16LE"));
    EXPECT_EQ(Dropped(InUnits(text, 2, false)), Refusal("UTF-16BE"));
    EXPECT_EQ(Dropped(InUnits(text, 4, true)), Refusal("UTF-32LE"));
    EXPECT_EQ(Dropped(InUnits(text, 4, false)), Refusal("UTF-32BE"));
  }
  // A line of UTF-16, as chat reads it.
  EXPECT_EQ(Dropped(InUnits(U"Who?\n", 2, true).substr(0, 9)), Refusal("UTF-16LE"));

  using std::string_literals::operator""s;
  for (const std::string& text : {"\0"s, "a\0"s, "\0\0\0\0"s, "a\0b"s, "one\0two\0three\0four\0"s,
                                  std::string(100, 'a') + "\0b\0c"s, std::string(64, '\0')}) {
    EXPECT_EQ(Dropped(text), text);
  }
}

TEST(TextEncoding, SoItIsWhereverTextComesFrom) {
  const TempDir dir;
  setenv("XDG_CACHE_HOME", dir.path().c_str(), 1);
  const auto file = [&](const std::string& text) {
    std::ofstream(dir.Path("text"), std::ios::binary) << text;
    return dir.Path("text");
  };
  const auto tokenize = [&](const std::string& text) {
    return RunProgram({"tokenize", "-m", kModel, "-f", file(text)});
  };
  EXPECT_EQ(tokenize(kMark + "In").out, tokenize("In").out);
  ExpectError(tokenize(kUtf16), dir.Path("text") + ": the text is UTF-16");
  ExpectError(tokenize(kUtf16.substr(2)), dir.Path("text") + ": the text is UTF-16LE");

  const std::vector<std::string> from_stdin = {"tokenize", "-m", kModel, "-p", "-"};
  EXPECT_EQ(RunProgram(from_stdin, kMark + "In").out, tokenize("In").out);
  ExpectError(RunProgram(from_stdin, kUtf16), "stdin: the text is UTF-16");

  const auto perplexity = [&](const std::string& text) {
    return RunProgram(
        {"perplexity", "-m", kModel, "-f", file(text), "-c", "16", "--prefetch", "off"});
  };
  std::string text;
  for (int i = 0; i < 20; ++i) text += "In the beginning ";
  EXPECT_NE(perplexity(text).out, "");
  EXPECT_EQ(perplexity(kMark + text).out, perplexity(text).out);
  ExpectError(perplexity(kUtf16), "the text is UTF-16");

  const std::vector<std::string> chat = {"chat", "-m", kModel,   "--prefetch", "off",
                                         "-n",   "4",  "--temp", "0"};
  EXPECT_EQ(RunProgram(chat, kMark + "Who?\n" + kMark + "He\n").out,
            RunProgram(chat, "Who?\n" + kMark + "He\n").out);
  ExpectError(RunProgram(chat, kUtf16), "stdin: the text is UTF-16");
}

}  // namespace
}  // namespace bitfetch
