// SPDX-License-Identifier: Apache-2.0
// KV that outlives its runs, as a user has it.
#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

#include "base/temp_dir.h"
#include "cli/test_commands.h"
#include "cli/test_program.h"
#include "tier/test_redis.h"

namespace bitfetch {
namespace {

using ::testing::HasSubstr;

class CacheTest : public ::testing::Test {
 protected:
  CacheTest() {
    setenv("XDG_CACHE_HOME", dir_.path().c_str(), 1);
    WriteText(prompt_,
              "In the beginning God created the heaven and the earth. And the earth was "
              "without form, and void; and darkness was upon the face of the deep.");
  }

  Finished Run(const std::vector<std::string>& more) {
    std::vector<std::string> arguments =
        With({"generate"}, {"-f", prompt_, "-n", "20", "--seed", "3"});
    arguments.insert(arguments.end(), more.begin(), more.end());
    return RunProgram(arguments);
  }
  std::string Generate(const std::vector<std::string>& more) {
    const Finished finished = Run(more);
    EXPECT_EQ(finished.code, 0) << finished.err;
    return finished.out;
  }
  Finished Cache(const std::string& action) {
    return RunProgram({"cache", action, "--cache-dir", folder_});
  }

  TempDir dir_;
  std::string prompt_ = dir_.Path("prompt.txt");
  std::string folder_ = dir_.Path("kv");
};

TEST_F(CacheTest, ARunGoesOnFromTheRunBeforeWithTheSameText) {
  const std::string alone = Generate({});
  EXPECT_EQ(Generate({"--cache-dir", folder_}), alone);
  const Finished info = Cache("info");
  EXPECT_EQ(info.code, 0) << info.err;
  EXPECT_THAT(info.out, ::testing::ContainsRegex("records +[1-9][0-9]*, of 16 tokens each"));
  EXPECT_EQ(Generate({"--cache-dir", folder_}), alone);
  EXPECT_EQ(Cache("info").out.substr(0, 120), info.out.substr(0, 120));
}

TEST_F(CacheTest, RedisKeepsItForTheNextRunToo) {
  const std::string alone = Generate({});
  TestRedis redis;
  const std::string url = redis.address().Name();
  EXPECT_EQ(Generate({"--kv-store", url}), alone);
  const Finished second = Run({"--kv-store", url});
  EXPECT_EQ(second.out, alone);
  EXPECT_THAT(second.err, HasSubstr("(32 of them kept from before)"));
  redis.Kill();
  const Finished third = Run({"--kv-store", url});
  EXPECT_EQ(third.code, 0);
  EXPECT_EQ(third.out, alone);
  EXPECT_THAT(third.err, HasSubstr(url + ": it can't be reached: Connection refused"));
  const Finished wrong = Run({"--kv-store", "rediss://:secret@127.0.0.1"});
  EXPECT_EQ(wrong.code, 2);
  EXPECT_THAT(wrong.err, HasSubstr("TLS"));
}

TEST_F(CacheTest, VerifyNamesWhatIsDamagedAndClearRemovesAll) {
  const std::string alone = Generate({"--cache-dir", folder_});
  EXPECT_THAT(Cache("verify").out, HasSubstr("all whole"));
  std::string file;
  for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
    if (entry.path().extension() == ".kv") file = entry.path().filename();
  }
  std::filesystem::resize_file(folder_ + "/" + file, 1000);
  const Finished verify = Cache("verify");
  EXPECT_EQ(verify.code, 1);
  EXPECT_THAT(verify.out, HasSubstr(file + ": is not a whole record"));
  EXPECT_THAT(verify.err, HasSubstr("1 of "));
  EXPECT_EQ(Generate({"--cache-dir", folder_}), alone);
  EXPECT_THAT(Cache("verify").out, HasSubstr("all whole"));
  EXPECT_EQ(Cache("clear").code, 0);
  EXPECT_THAT(Cache("info").out, ::testing::ContainsRegex("records +0,"));
}

TEST_F(CacheTest, WhatCantBeIsOneLine) {
  const Finished missing = RunProgram({"cache", "info", "--cache-dir", dir_.Path("none")});
  EXPECT_EQ(missing.code, 1);
  EXPECT_EQ(missing.err, "error: " + dir_.Path("none") + ": there is no such folder\n");
  EXPECT_FALSE(std::filesystem::exists(dir_.Path("none")));
  EXPECT_EQ(RunProgram({"cache", "info"}).code, 2);
  EXPECT_EQ(RunProgram({"cache"}).code, 2);
  const Finished file = RunProgram(With({"generate"}, {"-p", "x", "--cache-dir", prompt_}));
  EXPECT_EQ(file.code, 1);
  EXPECT_THAT(file.err, HasSubstr(prompt_));
  EXPECT_THAT(RunProgram({"cache", "info", "--cache-dir", prompt_}).err,
              HasSubstr("Not a directory"));
  const auto with_room = [](const std::string& room, const std::string& folder) {
    return RunProgram(With({"generate", "-p", "x", "--cache-disk", room, "--cache-dir", folder}));
  };
  EXPECT_EQ(with_room("0", folder_).code, 2);
  EXPECT_THAT(with_room("G", folder_).err, HasSubstr("'G' is no size"));
  EXPECT_THAT(with_room("4", folder_).err, HasSubstr("no room for a block"));
  EXPECT_THAT(RunProgram(With({"generate", "-p", "x", "--cache-disk", "1G"})).err,
              HasSubstr("no folder for it"));
}

}  // namespace
}  // namespace bitfetch
