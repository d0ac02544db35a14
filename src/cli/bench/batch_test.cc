// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>
#include <set>

#include "base/temp_dir.h"
#include "cli/test_program.h"
#include "engine/test_profile.h"
#include "model/test_model.h"

namespace bitfetch {
namespace {

using ::testing::HasSubstr;
using Json = nlohmann::json;

class BenchBatchTest : public ::testing::Test {
 protected:
  BenchBatchTest() { EXPECT_TRUE(WriteTestModel(model_, {})); }

  Finished Run(std::vector<std::string> arguments) {
    const std::vector<std::string> common = {"bench", "batch", "-m",        model_,
                                             "-t",    "1",     "--repeats", "1"};
    arguments.insert(arguments.begin(), common.begin(), common.end());
    return RunProgram(arguments);
  }

  TestProfile profile_;
  TempDir folder_;
  std::string model_ = folder_.Path("model.gguf");
};

TEST_F(BenchBatchTest, JsonHasARowForEachCombination) {
  const Finished finished =
      Run({"--sequences", "1,2", "--n-kv", "32", "--shared", "0,16", "--rows", "1,3", "--kv-type",
           "f16,q8_0", "--layout", "contiguous,paged", "--pages", "4k,huge", "--json", "-"});
  ASSERT_EQ(finished.code, 0) << finished.err;
  const Json rows = Json::parse(finished.out);
  ASSERT_EQ(rows.size(), 64u);
  std::set<std::string> combinations;
  for (const Json& row : rows) {
    EXPECT_EQ(row.at("bench"), "batch");
    EXPECT_EQ(row.at("threads"), 1);
    EXPECT_EQ(row.at("n_kv"), 32);
    EXPECT_EQ(row.at("prefetch"), "auto");
    EXPECT_EQ(row.at("repeats"), 1);
    EXPECT_GT(row.at("bytes_per_token"), 0);
    std::vector<std::string> spreads = {"step_ms",  "tokens_per_s",      "over_one",
                                        "of_bound", "pass64_rows_per_s", "gb_per_s",
                                        "fraction", "read_gb_per_s"};
    if (row.at("shared_tokens") != 0) spreads.emplace_back("over_own");
    EXPECT_EQ(row.contains("over_own"), row.at("shared_tokens") != 0);
    for (const std::string& name : spreads) {
      EXPECT_GT(row.at(name + "_min").get<double>(), 0) << name;
      EXPECT_LE(row.at(name + "_min"), row.at(name)) << name;
      EXPECT_LE(row.at(name), row.at(name + "_max")) << name;
    }
    combinations.insert(row.at("sequences").dump() + row.at("shared_tokens").dump() +
                        row.at("rows").dump() + row.at("kv_type").dump() + row.at("layout").dump() +
                        row.at("pages").dump());
  }
  EXPECT_EQ(combinations.size(), 64u);
}

TEST_F(BenchBatchTest, TheTableHasItsColumnsBelowTheirTitles) {
  const Finished finished = Run({"--sequences", "2", "--pages", "4k", "--n-kv", "32"});
  ASSERT_EQ(finished.code, 0) << finished.err;
  ASSERT_EQ(Lines(finished.out), 2);
  const size_t row = finished.out.find('\n') + 1;
  for (const auto& [title, value] :
       std::vector<std::pair<std::string, std::string>>{{"kv ", "f16 "}, {"prefetch ", "auto "}}) {
    EXPECT_EQ(finished.out.find(title), finished.out.find(value, row) - row) << finished.out;
  }
}

TEST_F(BenchBatchTest, BadArgumentsAreOneLineEach) {
  for (const auto& [arguments, message] :
       std::vector<std::pair<std::vector<std::string>, std::string>>{
           {{"--sequences", "0"}, "--sequences: 0 is out of range"},
           {{"--sequences", "65"}, "--sequences: 65 is out of range"},
           {{"--rows", "1,,2"}, "--rows: "},
           {{"--rows", "65"}, "--rows: 65 is out of range"},
           {{"--shared", "-1"}, "--shared: -1 is out of range"},
           {{"--n-kv", "0"}, "--n-kv: 0 is out of range"}}) {
    const Finished finished = Run(arguments);
    EXPECT_EQ(finished.code, 2) << message;
    EXPECT_THAT(finished.err, HasSubstr("error: " + message));
  }
  ExpectError(Run({"--n-kv", "16", "--shared", "0,17"}), "of 16 tokens can't have 17");
  EXPECT_EQ(RunProgram({"bench", "batch"}).code, 2);
}

}  // namespace
}  // namespace bitfetch
