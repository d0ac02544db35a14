// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include <csignal>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>

#include "base/temp_dir.h"
#include "cli/test_program.h"
#include "engine/test_profile.h"

namespace bitfetch {
namespace {

using Json = nlohmann::json;

class BenchCacheTest : public ::testing::Test {
 protected:
  std::vector<std::string> Arguments(const std::vector<std::string>& more) const {
    std::vector<std::string> arguments = {
        "bench",       "cache",    "-m",     BITFETCH_SOURCE_DIR "/models/tiny.gguf",
        "-t",          "1",        "--n-kv", "64,200",
        "--cache-dir", dir_.path()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }

  TestProfile profile_;
  TempDir dir_;
};

TEST_F(BenchCacheTest, JsonHasARowForEachPrefixAndStore) {
  const Finished finished = RunProgram(Arguments({"--repeats", "2", "--json", "-"}));
  ASSERT_EQ(finished.code, 0) << finished.err;
  const Json rows = Json::parse(finished.out);
  ASSERT_EQ(rows.size(), 6u);
  const char* const stores[] = {"none", "ram", "disk"};
  for (size_t i = 0; i < rows.size(); ++i) {
    const Json& row = rows[i];
    EXPECT_EQ(row.at("bench"), "cache");
    EXPECT_EQ(row.at("threads"), 1);
    EXPECT_EQ(row.at("kv_type"), "f16");
    EXPECT_EQ(row.at("n_kv"), i < 3 ? 64 : 200);
    EXPECT_EQ(row.at("store"), stores[i % 3]);
    EXPECT_EQ(row.at("repeats"), i % 3 == 0 ? 1 : 2);
    std::vector<std::string> spreads = {"ttft_ms", "over_none"};
    if (i % 3 == 2) {
      EXPECT_GT(row.at("bytes"), 0);
      spreads.insert(spreads.end(), {"gb_per_s", "read_gb_per_s", "fraction"});
    }
    for (const std::string& name : spreads) {
      EXPECT_GT(row.at(name + "_min"), 0) << name;
      EXPECT_LE(row.at(name + "_min"), row.at(name)) << name;
      EXPECT_LE(row.at(name), row.at(name + "_max")) << name;
    }
  }
  EXPECT_TRUE(std::filesystem::is_empty(dir_.path()));
}

TEST_F(BenchCacheTest, ConversationsGiveARowForEachMemoryAndDisk) {
  const Finished finished =
      RunProgram({"bench", "cache", "--conversations", "3", "--ram-tokens", "8192,16384",
                  "--disk-tokens", "0,100000", "--cache-dir", dir_.path(), "--json", "-"});
  ASSERT_EQ(finished.code, 0) << finished.err;
  const Json rows = Json::parse(finished.out);
  ASSERT_EQ(rows.size(), 4u);
  for (size_t i = 0; i < rows.size(); ++i) {
    const Json& row = rows[i];
    EXPECT_EQ(row.at("bench"), "cache");
    EXPECT_EQ(row.at("ram_tokens"), i < 2 ? 8192 : 16384);
    EXPECT_EQ(row.at("disk_tokens"), i % 2 == 0 ? 0 : 100'000);
    EXPECT_GT(row.at("turns"), 3);
    EXPECT_GT(row.at("hit_rate"), 0);
    EXPECT_LT(row.at("hit_rate"), 1);
    EXPECT_DOUBLE_EQ(row.at("hit_rate").get<double>(),
                     row.at("ram_hit_rate").get<double>() + row.at("disk_hit_rate").get<double>());
  }
  EXPECT_TRUE(std::filesystem::is_empty(dir_.path()));
}

TEST_F(BenchCacheTest, AModelOrConversationsButNotBoth) {
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"bench", "cache"}, Arguments({"--conversations", "3"})}) {
    const Finished finished = RunProgram(arguments);
    EXPECT_EQ(finished.code, 2);
    EXPECT_THAT(finished.err, ::testing::HasSubstr("one of -m and --conversations is needed"));
  }
}

TEST_F(BenchCacheTest, CtrlCLeavesNothing) {
  for (const int signal : {SIGINT, SIGTERM}) {
    Program program(Arguments({"--repeats", "100000"}));
    while (std::filesystem::is_empty(dir_.path())) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    program.Signal(signal);
    EXPECT_EQ(program.Wait().code, 128 + signal);
    EXPECT_TRUE(std::filesystem::is_empty(dir_.path()));
  }
}

}  // namespace
}  // namespace bitfetch
