// SPDX-License-Identifier: Apache-2.0
// What `info` tells of models and of the machine, and `tune` measures.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

#include "base/temp_dir.h"
#include "cli/test_commands.h"
#include "cli/test_program.h"
#include "model/test_model.h"

namespace bitfetch {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class InfoTest : public ::testing::Test {
 protected:
  InfoTest() { setenv("XDG_CACHE_HOME", dir_.path().c_str(), 1); }

  TempDir dir_;
};

TEST_F(InfoTest, TellsOfTheModel) {
  const Finished info = RunProgram({"info", "-m", kModel});
  EXPECT_EQ(info.code, 0);
  EXPECT_EQ(info.err, "");
  for (const char* fact :
       {"bitnet-b1.58", "512 tokens", "I2_S", "2048 tokens", "4 heads of 64", "for 1000 tokens",
        "memory for weights", "\nruns here                 yes\n"}) {
    EXPECT_THAT(info.out, HasSubstr(fact));
  }
}

// Of any sound file, though nothing can be done with it.
TEST_F(InfoTest, TellsWhyAModelDoesNotRun) {
  const std::string path = dir_.Path("m.gguf");
  struct Change {
    std::string key;  // to be added, with the value 2
    std::string from, to;
  };
  const auto last_line = [&](const TestModel& model, const Change& change) {
    TestModelWriter writer(model);
    if (!change.key.empty()) writer.writer().Add<uint32_t>(change.key, 2);
    EXPECT_TRUE(writer.Write(path));
    if (!change.from.empty()) {
      std::ifstream file(path, std::ios::binary);
      std::string text(std::istreambuf_iterator<char>(file), {});
      for (size_t at = 0; (at = text.find(change.from, at)) != std::string::npos;) {
        text.replace(at, change.to.size(), change.to);
      }
      WriteText(path, text);
    }
    const Finished info = RunProgram({"info", "-m", path});
    EXPECT_EQ(info.code, 0) << info.err;
    EXPECT_THAT(info.out, AllOf(HasSubstr("test model"), HasSubstr("architecture  "),
                                HasSubstr("parameters  "), HasSubstr("tokenizer  ")));
    return info.out.substr(info.out.rfind('\n', info.out.size() - 2) + 1);
  };
  const TestModel gemma3 = {.architecture = "gemma3"}, qwen3 = {.architecture = "qwen3"};
  EXPECT_EQ(
      last_line(qwen3, {}),
      "runs here                 yes, on ids of tokens alone: it has no tokenizer that can be "
      "used\n");
  EXPECT_THAT(last_line(gemma3, {.key = "gemma3.attention.sliding_window", .from = {}, .to = {}}),
              HasSubstr("yes, in a context of at most 2 tokens, on ids"));
  EXPECT_EQ(last_line(qwen3, {.key = "qwen3.hadamard.block_size", .from = {}, .to = {}}),
            "does not run: metadata key qwen3.hadamard.block_size asks for a rotation of "
            "activations, which is not supported\n");
  EXPECT_EQ(last_line(qwen3, {.key = "split.count", .from = {}, .to = {}}),
            "does not run: is one of the 2 parts of a split model: join them first "
            "(llama-gguf-split --merge)\n");
  EXPECT_THAT(last_line(gemma3, {.key = {}, .from = "gemma3", .to = "qwen35"}),
              StartsWith("does not run: architecture 'qwen35' is not supported: there are "));
  EXPECT_EQ(last_line(qwen3, {.key = {}, .from = "blk.1.ffn_up", .to = "blk.1.ffn_xx"}),
            "does not run: tensor blk.1.ffn_up.weight is missing\n");
  TestModel groups = qwen3;
  groups.linear = TensorType::kPQ2_0;
  EXPECT_THAT(last_line(groups, {.key = {},
                                 .from = std::string("\x8e\0\0\0", 4),
                                 .to = std::string("\x8f\0\0\0", 4)}),
              StartsWith("does not run: tensor blk.0.attn_q.weight is of type 143 (PTQ1_0, "));
  EXPECT_THAT(
      RunProgram({"info", "-m", path}).out,
      HasSubstr(
          "  type 143                1.18 million parameters in 14 tensors, not supported\n"));
}

// Older files have groups of 128 under the number that now stands for groups of 64.
TEST_F(InfoTest, TellsOfTheGroupsOfQ2_0) {
  const std::string model = dir_.Path("old.gguf");
  ASSERT_TRUE(WriteTestModel(model, {.architecture = "llama", .linear = TensorType::kPQ2_0}));
  EXPECT_THAT(RunProgram({"info", "-m", model}).out, HasSubstr("in 14 tensors, 313.3 KB\n"));

  std::fstream file(model, std::ios::in | std::ios::out | std::ios::binary);
  std::string text(4096, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  const std::string number("\x8e\0\0\0", 4);
  for (size_t at = 0; (at = text.find(number, at)) != std::string::npos; ++at) {
    file.seekp(static_cast<std::streamoff>(at)).put(42);
  }
  file.close();
  EXPECT_THAT(RunProgram({"info", "-m", model}).out,
              HasSubstr("313.3 KB, as an older file has Q2_0: groups of 128\n"));
}

TEST_F(InfoTest, TellsOfTheMachine) {
  const Finished info = RunProgram({"info", "--machine", "-m", kModel});
  EXPECT_EQ(info.code, 0) << info.err;
  for (const char* fact : {"bitnet-b1.58", "CPU", "scalar", "chosen: ", "L2", "memory available",
                           "huge pages", "prefetch law", "contiguous, huge pages"}) {
    EXPECT_THAT(info.out, HasSubstr(fact));
  }
}

TEST_F(InfoTest, TuneKeepsWhatInfoThenShows) {
  const Finished tune = RunProgram({"tune"});
  EXPECT_EQ(tune.code, 0) << tune.err;
  const std::string profile = dir_.Path("bitfetch/profile.json");
  EXPECT_THAT(tune.out, HasSubstr("latency"));
  EXPECT_THAT(tune.out, HasSubstr(profile));
  EXPECT_EQ(access(profile.c_str(), R_OK), 0);
  if (!tune.err.empty()) GTEST_SKIP() << "too busy to measure all of this machine: " << tune.err;
  for (const char* fact : {"how sure that is", "choices are surely within 2 % of the best"}) {
    EXPECT_THAT(tune.out, HasSubstr(fact));
  }
  EXPECT_THAT(RunProgram({"info", "--machine"}).out, HasSubstr("tune (measured by tune)"));
}

TEST_F(InfoTest, TuneGoesOnWhereNothingCanBeKept) {
  setenv("XDG_CACHE_HOME", "/dev/null", 1);
  const Finished tune = RunProgram({"tune"});
  EXPECT_EQ(tune.code, 0);
  EXPECT_THAT(tune.out, HasSubstr("latency"));
  EXPECT_THAT(tune.err, HasSubstr("warning: the profile is not kept: "));
}

}  // namespace
}  // namespace bitfetch
