// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "cli/test_program.h"
#include "engine/test_profile.h"

namespace bitfetch {
namespace {

using ::testing::HasSubstr;
using Json = nlohmann::json;

class BenchDraftTest : public ::testing::Test {
 protected:
  Finished Run(std::vector<std::string> arguments) {
    const std::vector<std::string> common = {
        "bench", "draft", "-m",        BITFETCH_SOURCE_DIR "/models/tiny.gguf",
        "-t",    "1",     "--repeats", "2"};
    arguments.insert(arguments.begin(), common.begin(), common.end());
    return RunProgram(arguments);
  }

  TestProfile profile_;
  const std::string verse_ = " And God said, Let there be light: and there was light.";
};

TEST_F(BenchDraftTest, JsonHasARowForEachSetting) {
  const Finished finished = Run({"-p", verse_ + verse_, "-n", "12", "--draft", "off,auto,4",
                                 "--kv-type", "f16,q8_0", "--json", "-"});
  ASSERT_EQ(finished.code, 0) << finished.err;
  const Json rows = Json::parse(finished.out);
  ASSERT_EQ(rows.size(), 6u);
  const char* const drafts[] = {"off", "auto", "4"};
  for (size_t i = 0; i < rows.size(); ++i) {
    const Json& row = rows[i];
    EXPECT_EQ(row.at("bench"), "draft");
    EXPECT_EQ(row.at("draft"), drafts[i % 3]);
    EXPECT_EQ(row.at("kv_type"), i < 3 ? "f16" : "q8_0");
    EXPECT_EQ(row.at("tokens"), 12);
    EXPECT_GT(row.at("n_kv"), 12);
    EXPECT_EQ(row.at("repeats"), 2);
    for (const std::string name : {"tokens_per_s", "over_off", "accepted", "drafted"}) {
      EXPECT_LE(row.at(name + "_min"), row.at(name)) << name;
      EXPECT_LE(row.at(name), row.at(name + "_max")) << name;
    }
    EXPECT_GT(row.at("tokens_per_s_min"), 0);
    EXPECT_LE(row.at("accepted"), row.at("drafted"));
  }
  EXPECT_EQ(rows[0].at("drafted_max"), 0);
  EXPECT_EQ(rows[0].at("over_off"), 1);
  // The second verse is the first again: every guess stands, in passes of five tokens and one of
  // two.
  EXPECT_EQ(rows[2].at("accepted"), 9.0 / 3);
  EXPECT_EQ(rows[2].at("accepted"), rows[2].at("drafted"));
}

TEST_F(BenchDraftTest, WhatCannotBeMeasuredIsOneLine) {
  const Finished all = Run({"-p", verse_, "-n", "100"});
  EXPECT_EQ(all.code, 1);
  EXPECT_THAT(all.err, HasSubstr("tokens: to generate the last 100, it must have more"));
  EXPECT_EQ(Run({"-n", "12"}).code, 2);
  const Finished draft = Run({"-p", verse_, "--draft", "off,64"});
  EXPECT_EQ(draft.code, 2);
  EXPECT_THAT(draft.err, HasSubstr("'64' is no draft setting"));
}

}  // namespace
}  // namespace bitfetch
