// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "base/json_value.h"
#include "base/temp_dir.h"
#include "cli/test_commands.h"
#include "cli/test_program.h"

namespace bitfetch {
namespace {

using ::testing::HasSubstr;

class EmbedTest : public ::testing::Test {
 protected:
  EmbedTest() { setenv("XDG_CACHE_HOME", dir_.path().c_str(), 1); }

  static std::string ReadFile(const std::string& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  // The vector of the one text in this JSON, as it is written.
  static std::string Vector(const std::string& json) {
    const size_t begin = json.find("\"embedding\": [");
    return json.substr(begin, json.find(']', begin) - begin);
  }

  TempDir dir_;
};

TEST_F(EmbedTest, ALineOfAFileHasTheVectorThatItHasAlone) {
  const std::vector<std::string> texts = {"In the beginning", "and", "the earth was without form"};
  WriteText(dir_.Path("texts"), texts[0] + "\n" + texts[1] + "\r\n" + texts[2]);
  const Finished all = RunProgram({"embed", "-m", kModel, "-f", dir_.Path("texts")});
  ASSERT_EQ(all.code, 0) << all.err;
  std::string wanted = "[";
  for (size_t i = 0; i < texts.size(); ++i) {
    const Finished alone = RunProgram({"embed", "-m", kModel, "-p", texts[i]});
    ASSERT_EQ(alone.code, 0) << alone.err;
    EXPECT_THAT(alone.err, HasSubstr("the model was made to write text"));
    const std::string tokens = alone.out.substr(alone.out.find("\"tokens\""));
    wanted += (i == 0 ? "" : ",") + std::string("\n  {\"index\": ") + std::to_string(i) + ", " +
              Vector(alone.out) + "], " + tokens.substr(0, tokens.find('}') + 1);
  }
  EXPECT_EQ(all.out, wanted + "\n]\n");

  const Finished file = RunProgram(
      {"embed", "-m", kModel, "-f", dir_.Path("texts"), "--json", dir_.Path("vectors.json")});
  EXPECT_EQ(file.code, 0) << file.err;
  EXPECT_EQ(file.out, "");
  EXPECT_EQ(ReadFile(dir_.Path("vectors.json")), all.out);
}

TEST_F(EmbedTest, TextsOfManyBatchesAreOneArray) {
  constexpr int64_t kTexts = 150;
  std::string lines;
  for (int64_t i = 0; i < kTexts; ++i) lines += fmt::format("{}\n", i);
  WriteText(dir_.Path("texts"), lines);
  const Finished all = RunProgram({"embed", "-m", kModel, "-f", dir_.Path("texts")});
  ASSERT_EQ(all.code, 0) << all.err;
  const auto json = ParseJson(all.out);
  ASSERT_TRUE(json) << json.error().message;
  const auto* const texts = json->As<JsonValue::List>();
  ASSERT_TRUE(texts != nullptr && texts->size() == kTexts);
  for (int64_t i = 0; i < kTexts; ++i) EXPECT_EQ(*(*texts)[i].Find<int64_t>("index"), i);
}

TEST_F(EmbedTest, WhatCannotBeEmbeddedIsNamedByItsLine) {
  WriteText(dir_.Path("texts"), "one\n" + std::string(600, 'x') + "\n");
  const Finished long_line =
      RunProgram({"embed", "-m", kModel, "-c", "32", "-f", dir_.Path("texts")});
  EXPECT_EQ(long_line.code, 1);
  EXPECT_EQ(long_line.out, "");
  EXPECT_THAT(long_line.err, HasSubstr("line 2"));
  WriteText(dir_.Path("empty"), "");
  const Finished empty = RunProgram({"embed", "-m", kModel, "-f", dir_.Path("empty")});
  EXPECT_EQ(empty.code, 1);
  EXPECT_THAT(empty.err, HasSubstr("has no text"));
}

}  // namespace
}  // namespace bitfetch
