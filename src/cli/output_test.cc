// SPDX-License-Identifier: Apache-2.0
// What a model writes, on a terminal and elsewhere.
#include <gmock/gmock.h>

#include "base/printable.h"
#include "base/temp_dir.h"
#include "cli/test_commands.h"
#include "cli/test_program.h"
#include "cli/test_terminal.h"

namespace bitfetch {
namespace {

// `text` as a terminal gets it.
std::string WithReturns(std::string_view text) {
  std::string out;
  for (const char c : text) out += c == '\n' ? "\r\n" : std::string(1, c);
  return out;
}

std::string ShownBy(const std::vector<std::string>& arguments) {
  Terminal terminal;
  EXPECT_EQ(RunProgram(arguments, "", terminal.name()).code, 0);
  return terminal.Shown();
}

TEST(Output, OnATerminalALineEndIsAdded) {
  const std::vector<std::string> detokenize = {"detokenize", "-m", kModel, "--tokens", "73"};
  EXPECT_EQ(ShownBy(detokenize), RunProgram(detokenize).out + "\r\n");
}

TEST(Output, ControlCharactersAreShownOnATerminalAndKeptElsewhere) {
  const std::string text("a\x1b[2J\x07\0\xc2\x9b\n\xe4\xb8\xad\xf0\x9f\x98\x80", 17);
  std::string tokens = RunProgram({"tokenize", "-m", kModel, "-p", "-"}, text).out;
  tokens.pop_back();
  const std::vector<std::string> detokenize = {"detokenize", "-m", kModel, "--tokens", tokens};
  EXPECT_EQ(RunProgram(detokenize).out, text);
  EXPECT_EQ(ShownBy(detokenize),
            "a\\x1b[2J\\x07\\x00\\xc2\\x9b\r\n\xe4\xb8\xad\xf0\x9f\x98\x80\r\n");
}

// A model that writes any bytes: controls, and characters of several tokens.
TEST(Output, SoItIsWhileTextIsGenerated) {
  const TempDir dir;
  setenv("XDG_CACHE_HOME", dir.path().c_str(), 1);
  const std::string model = dir.Path("m.gguf");
  ASSERT_EQ(RunProgram({"synth", "-o", model, "--vocab", "1024", "--ctx", "4096"}).code, 0);
  const std::vector<std::string> generate = {"generate", "-m",   model,    "-p",         "x",
                                             "-n",       "1000", "--temp", "5",          "--seed",
                                             "1",        "-t",   "2",      "--prefetch", "off"};
  const std::string kept = RunProgram(generate).out;
  EXPECT_NE(kept.find('\x1b'), std::string::npos);
  EXPECT_EQ(ShownBy(generate), WithReturns(WithoutControls(kept)) + "\r\n");
}

}  // namespace
}  // namespace bitfetch
