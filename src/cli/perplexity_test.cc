// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include <cmath>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <sstream>

#include "base/temp_dir.h"
#include "cli/test_commands.h"
#include "cli/test_program.h"

namespace bitfetch {
namespace {

using ::testing::HasSubstr;

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

class PerplexityTest : public ::testing::Test {
 protected:
  PerplexityTest() { setenv("XDG_CACHE_HOME", dir_.path().c_str(), 1); }

  TempDir dir_;
};

std::vector<float> ReadLogits(const std::string& path) {
  const std::string bytes = ReadFile(path);
  std::vector<float> logits(bytes.size() / sizeof(float));
  std::memcpy(logits.data(), bytes.data(), logits.size() * sizeof(float));
  return logits;
}

TEST_F(PerplexityTest, IsWhatLogitsSay) {
  constexpr size_t kContext = 24, kVocab = 2048;
  std::string text = ReadFile(BITFETCH_SOURCE_DIR "/models/heldout.txt").substr(0, 260);
  WriteText(dir_.Path("text"), text);
  std::vector<int> tokens;
  std::istringstream ids(RunProgram({"tokenize", "-m", kModel, "-p", text}).out);
  for (std::string id; std::getline(ids, id, ',');) tokens.push_back(std::stoi(id));
  const size_t windows = tokens.size() / kContext;
  ASSERT_GE(windows, 2u);

  double sum = 0;
  size_t scored = 0, bytes = 0;
  for (size_t window = 0; window < windows; ++window) {
    std::vector<int> in_window(tokens.begin() + window * kContext,
                               tokens.begin() + (window + 1) * kContext);
    in_window[0] = tokens[0];
    std::string list, rest;
    for (size_t i = 0; i < kContext; ++i) {
      list += std::to_string(in_window[i]) + (i + 1 < kContext ? "," : "");
      if (i > kContext / 2) rest += (rest.empty() ? "" : ",") + std::to_string(in_window[i]);
    }
    const Finished logits_run = RunProgram(With({"logits"}, {"--ids", list, "-o", dir_.Path("l")}));
    ASSERT_EQ(logits_run.code, 0) << logits_run.err;
    EXPECT_EQ(logits_run.out, "");
    EXPECT_EQ(logits_run.err, "");
    const std::vector<float> logits = ReadLogits(dir_.Path("l"));
    ASSERT_EQ(logits.size(), kContext * kVocab);
    for (size_t i = kContext / 2; i + 1 < kContext; ++i, ++scored) {
      double total = 0;
      for (size_t id = 0; id < kVocab; ++id) total += std::exp(double{logits[i * kVocab + id]});
      sum += std::log(total) - logits[i * kVocab + in_window[i + 1]];
    }
    bytes += RunProgram({"detokenize", "-m", kModel, "--tokens", rest}).out.size();
  }

  const Finished run = RunProgram(With({"perplexity"}, {"-f", dir_.Path("text"), "-c", "24"}));
  ASSERT_EQ(run.code, 0) << run.err;
  EXPECT_EQ(run.err, "");
  double perplexity = 0, bits = 0;
  int said_tokens = 0, said_bytes = 0, said_windows = 0;
  ASSERT_EQ(std::sscanf(run.out.c_str(),
                        "perplexity %lf\nbits per byte %lf\nscored %d tokens, %d bytes, in %d",
                        &perplexity, &bits, &said_tokens, &said_bytes, &said_windows),
            5)
      << run.out;
  EXPECT_NEAR(perplexity / std::exp(sum / static_cast<double>(scored)), 1, 1e-4);
  EXPECT_NEAR(bits, sum / std::log(2.0) / static_cast<double>(bytes), 1e-3);
  EXPECT_EQ(said_tokens, static_cast<int>(scored));
  EXPECT_EQ(said_bytes, static_cast<int>(bytes));
  EXPECT_EQ(said_windows, static_cast<int>(windows));
}

TEST_F(PerplexityTest, AContextOfZeroIsTheModelsOwn) {
  const std::string model = dir_.Path("m.gguf");
  ASSERT_EQ(RunProgram({"synth", "-o", model, "--ctx", "700", "--layers", "1"}).code, 0);
  WriteText(dir_.Path("text"), std::string(1500, 'a'));
  const auto windows = [&](const std::vector<std::string>& more) {
    std::vector<std::string> arguments = {"perplexity",      "-m",         model, "-f",
                                          dir_.Path("text"), "--prefetch", "off"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return RunProgram(arguments).out;
  };
  EXPECT_THAT(windows({}), HasSubstr("in 2 windows of 512 tokens"));
  EXPECT_THAT(windows({"-c", "0"}), HasSubstr("in 2 windows of 700 tokens"));
  EXPECT_THAT(windows({"--ctx-size", "300"}), HasSubstr("in 5 windows of 300 tokens"));
}

TEST_F(PerplexityTest, TakesItsTextFromAnywhere) {
  const std::string text = "In the beginning God created the heaven and the earth.";
  WriteText(dir_.Path("text"), text);
  const auto perplexity = [](const std::vector<std::string>& from, const std::string& input = "") {
    std::vector<std::string> arguments = With({"perplexity", "-c", "8"}, from);
    const Finished finished = RunProgram(arguments, input);
    EXPECT_EQ(finished.code, 0) << finished.err;
    return finished.out;
  };
  const std::string expected = perplexity({"-f", dir_.Path("text")});
  EXPECT_THAT(expected, HasSubstr("perplexity "));
  EXPECT_EQ(perplexity({"-p", text}), expected);
  EXPECT_EQ(perplexity({"-e", "-p", "\\x49" + text.substr(1)}), expected);
  EXPECT_EQ(perplexity({"-p", "-"}, text), expected);
  EXPECT_EQ(perplexity({"-f", "-"}, text), expected);
}

}  // namespace
}  // namespace bitfetch
