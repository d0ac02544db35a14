// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "base/temp_dir.h"
#include "cli/test_program.h"
#include "engine/test_profile.h"
#include "model/test_model.h"

namespace bitfetch {
namespace {

using Json = nlohmann::json;

class BenchModelTest : public ::testing::Test {
 protected:
  BenchModelTest() { EXPECT_TRUE(WriteTestModel(model_, shape_)); }

  Json Rows(std::vector<std::string> arguments) {
    const std::vector<std::string> common = {"-m", model_, "-t",        "1", "--pages", "4k",
                                             "-n", "3",    "--repeats", "2", "--json",  "-"};
    arguments.insert(arguments.begin(), "bench");
    arguments.insert(arguments.end(), common.begin(), common.end());
    const Finished finished = RunProgram(arguments);
    EXPECT_EQ(finished.code, 0) << finished.err;
    Json rows = Json::parse(finished.out, nullptr, /*allow_exceptions=*/false);
    EXPECT_TRUE(rows.is_array()) << finished.out;
    return rows;
  }

  // What all tokens of the model read of its ternary weights.
  int64_t WeightBytes() const {
    const int64_t q = shape_.heads * shape_.head_dim, kv = shape_.kv_heads * shape_.head_dim;
    return shape_.layers * shape_.hidden * (2 * q + 2 * kv + 3 * shape_.ffn) / 4;
  }

  TestProfile profile_;
  TempDir folder_;
  TestModel shape_;
  std::string model_ = folder_.Path("model.gguf");
};

TEST_F(BenchModelTest, DecodeHasARowForEachCombination) {
  const Json rows =
      Rows({"decode", "--n-kv", "0,40", "--kv-type", "f16,q8_0", "--prefetch", "off,auto",
            "--prefetch-ahead", "auto,off", "--layout", "contiguous,paged"});
  ASSERT_EQ(rows.size(), 32u);
  std::set<std::string> combinations;
  for (const Json& row : rows) {
    EXPECT_EQ(row.at("bench"), "decode");
    EXPECT_EQ(row.at("threads"), 1);
    EXPECT_EQ(row.at("pages"), "4k");
    EXPECT_EQ(row.at("tokens"), 3);
    EXPECT_EQ(row.at("repeats"), 2);
    for (const char* name :
         {"tokens_per_s", "over_first", "gb_per_s", "read_gb_per_s", "fraction"}) {
      EXPECT_GT(row.at(name + std::string("_min")).get<double>(), 0);
      EXPECT_LE(row.at(name + std::string("_min")), row.at(name));
      EXPECT_LE(row.at(name), row.at(name + std::string("_max")));
    }
    // Weights, head, and whole blocks of KV: of one or of three.
    const int64_t token_bytes = 2 * shape_.kv_heads * shape_.head_dim * shape_.layers;
    const bool f16 = row.at("kv_type") == "f16";
    const int64_t kv = (row.at("n_kv") == 0 ? 16 : 48) * token_bytes * (f16 ? 2 : 1);
    const int64_t scales = f16 ? 0 : kv / 16;
    EXPECT_EQ(row.at("bytes_per_token"),
              WeightBytes() + shape_.vocab * shape_.hidden * 2 + kv + scales);
    combinations.insert(row.at("kv_type").get<std::string>() + row.at("n_kv").dump() +
                        row.at("prefetch").get<std::string>() +
                        row.at("layout").get<std::string>() +
                        row.at("prefetch_ahead").get<std::string>());
  }
  EXPECT_EQ(combinations.size(), 32u);
}

TEST_F(BenchModelTest, ProfileAddsARowForEachStage) {
  const Json rows = Rows({"decode", "--profile"});
  ASSERT_EQ(rows.size(), 1u + 10 + 1);
  double share = 0;
  for (size_t i = 1; i < rows.size(); ++i) {
    EXPECT_EQ(rows[i].at("bench"), "decode");
    EXPECT_GT(rows[i].at("us_per_token"), 0);
    if (rows[i].at("stage") != "all") share += rows[i].at("share").get<double>();
  }
  EXPECT_NEAR(share, 1, 1e-6);
  EXPECT_EQ(rows.back().at("stage"), "all");
  EXPECT_EQ(rows[rows.size() - 2].at("stage"), "between");
  // The stages are all of a token's time.
  const double us_per_token = rows.back().at("us_per_token");
  EXPECT_GE(us_per_token * 1.001, 1e6 / rows[0].at("tokens_per_s_max").get<double>());
  EXPECT_LE(us_per_token * 0.999, 1e6 / rows[0].at("tokens_per_s_min").get<double>());
  EXPECT_NEAR(rows.back().at("bytes_per_token").get<double>(),
              rows[0].at("bytes_per_token").get<double>(), 1);
}

TEST_F(BenchModelTest, EveryListIsOne) {
  for (const char* bench : {"decode", "prefill"}) {
    const Finished finished =
        RunProgram({"bench", bench, "-m", model_, "-t", "1,2", "-n", "1,2,4", "--n-kv", "0,20",
                    "--pages", "4k,huge", "--repeats", "1", "--json", "-"});
    ASSERT_EQ(finished.code, 0) << finished.err;
    std::map<int64_t, int> rows_of;
    for (const Json& row : Json::parse(finished.out)) ++rows_of[row.at("tokens").get<int64_t>()];
    EXPECT_THAT(rows_of, ::testing::ElementsAre(::testing::Pair(1, 8), ::testing::Pair(2, 8),
                                                ::testing::Pair(4, 8)));
  }
}

TEST_F(BenchModelTest, PrefillReadsTheHeadOnce) {
  const Json rows = Rows({"prefill", "--n-kv", "20", "--profile"});
  ASSERT_EQ(rows.size(), 1u + 10 + 1);
  EXPECT_EQ(rows[0].at("bench"), "prefill");
  for (const Json& row : rows) {
    if (row.value("stage", "") != "head") continue;
    EXPECT_NEAR(row.at("bytes_per_token").get<double>(),
                static_cast<double>(shape_.vocab * shape_.hidden * 2) / 3, 1);
  }
}

TEST_F(BenchModelTest, BadArgumentsAreOneLineEach) {
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"decode"},
        {"prefill", "-m", model_, "-n", "0"},
        {"prefill", "-m", model_, "-n", "1,,2"},
        {"decode", "-m", model_, "--n-kv", "-1"},
        {"decode", "-m", model_, "--prefetch-ahead", "4096"}}) {
    std::vector<std::string> all = {"bench"};
    all.insert(all.end(), arguments.begin(), arguments.end());
    const Finished finished = RunProgram(all);
    EXPECT_EQ(finished.code, 2) << finished.err;
    EXPECT_EQ(finished.err.rfind("error: ", 0), 0u) << finished.err;
  }
  ExpectError(RunProgram({"bench", "decode", "-m", folder_.Path("none.gguf")}), "none.gguf");
}

}  // namespace
}  // namespace bitfetch
