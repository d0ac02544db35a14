// SPDX-License-Identifier: Apache-2.0
// `bitfetch synth` as a user meets it. What it writes: src/convert/synth_test.cc.
#include <gmock/gmock.h>

#include "base/temp_dir.h"
#include "cli/test_program.h"

namespace bitfetch {
namespace {

using ::testing::MatchesRegex;

class SynthCommandTest : public ::testing::Test {
 protected:
  SynthCommandTest() { setenv("XDG_CACHE_HOME", dir_.path().c_str(), 1); }

  TempDir dir_;
};

TEST_F(SynthCommandTest, SynthWritesAModelThatRuns) {
  const std::string model = dir_.Path("m.gguf");
  const Finished synth =
      RunProgram({"synth", "-o", model, "--shape", "tiny", "--layers", "1", "--arch", "llama",
                  "--type", "TQ1_0", "--embedding", "BF16", "--own-output", "--vocab", "261"});
  EXPECT_EQ(synth.code, 0) << synth.err;
  EXPECT_EQ(synth.out, "");
  EXPECT_THAT(synth.err, MatchesRegex("wrote " + model + ", [0-9.]+ [KM]B\n"));
  const Finished generate = RunProgram(
      {"generate", "-m", model, "-p", "x", "-n", "3", "--seed", "1", "--prefetch", "64"});
  EXPECT_EQ(generate.code, 0) << generate.err;
}

TEST_F(SynthCommandTest, WritesThroughAPipe) {
  const Finished synth = RunProgram({"synth", "-o", "/dev/stdout", "--layers", "1"});
  EXPECT_EQ(synth.code, 0);
  EXPECT_TRUE(synth.out.starts_with("GGUF"));
  EXPECT_THAT(synth.err, MatchesRegex("wrote /dev/stdout, [0-9.]+ [KM]B\n"));
}

TEST_F(SynthCommandTest, OptionsChangeTheShapeInAnyOrder) {
  for (const auto& options : {std::vector<std::string>{"--shape", "tiny", "--layers", "1"},
                              std::vector<std::string>{"--layers", "1", "--shape", "tiny"},
                              std::vector<std::string>{"--layers", "1"}}) {
    std::vector<std::string> arguments = {"synth", "-o", dir_.Path("m.gguf")};
    arguments.insert(arguments.end(), options.begin(), options.end());
    ASSERT_EQ(RunProgram(arguments).code, 0);
    EXPECT_THAT(RunProgram({"info", "-m", dir_.Path("m.gguf")}).out,
                MatchesRegex("(.|\n)*layers +1, 256 wide(.|\n)*"));
  }
}

}  // namespace
}  // namespace bitfetch
