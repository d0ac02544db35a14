// SPDX-License-Identifier: Apache-2.0
#include "cli/byte_order_mark.h"

#include <gmock/gmock.h>

#include <fstream>

#include "base/temp_dir.h"
#include "cli/test_program.h"

namespace bitfetch {
namespace {

using ::testing::HasSubstr;

const std::string kModel = BITFETCH_SOURCE_DIR "/models/tiny.gguf";
const std::string kMark = "\xef\xbb\xbf";
const std::string kUtf16("\xff\xfeI\0n\0\n\0", 8);

std::string Dropped(std::string text) {
  const Status status = DropByteOrderMark("f", &text);
  return status ? text : status.error().message;
}

TEST(ByteOrderMark, OneInFrontIsDropped) {
  EXPECT_EQ(Dropped(""), "");
  EXPECT_EQ(Dropped(kMark), "");
  EXPECT_EQ(Dropped(kMark + kMark + "a"), kMark + "a");
  EXPECT_EQ(Dropped("a" + kMark), "a" + kMark);
  EXPECT_EQ(Dropped("\xef\xbb"), "\xef\xbb");
}

TEST(ByteOrderMark, OthersAreErrorsThatNameTheEncoding) {
  const auto message = [](const std::string& encoding) {
    return "f: the text is " + encoding + ", and has to be UTF-8: convert it with iconv -f " +
           encoding + " -t UTF-8";
  };
  EXPECT_EQ(Dropped(kUtf16), message("UTF-16"));
  EXPECT_EQ(Dropped(std::string("\xfe\xff\0I", 4)), message("UTF-16"));
  EXPECT_EQ(Dropped(std::string("\xff\xfe\0\0I\0\0\0", 8)), message("UTF-32"));
  EXPECT_EQ(Dropped(std::string("\0\0\xfe\xff\0\0\0I", 8)), message("UTF-32"));
}

TEST(ByteOrderMark, SoItIsWhereverTextComesFrom) {
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
