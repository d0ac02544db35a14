// SPDX-License-Identifier: Apache-2.0
// What every command promises: exit codes, what goes to stdout and stderr, bad usage and bad input.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include "base/sanitized.h"
#include "base/temp_dir.h"
#include "cli/test_commands.h"
#include "cli/test_program.h"
#include "convert/synth_tokenizer.h"
#include "convert/test_hf_folder.h"
#include "model/test_model.h"

namespace bitfetch {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;

const std::vector<std::string> kCommands = {"generate", "chat",       "info",   "tune",
                                            "tokenize", "detokenize", "logits", "perplexity",
                                            "synth",    "convert"};

class CliTest : public ::testing::Test {
 protected:
  CliTest() { setenv("XDG_CACHE_HOME", dir_.path().c_str(), 1); }

  TempDir dir_;
};

// --- help and usage

TEST_F(CliTest, HelpAndVersionGoToStdout) {
  const Finished version = RunProgram({"--version"});
  EXPECT_EQ(version.code, 0);
  EXPECT_EQ(version.out, "bitfetch " BITFETCH_VERSION "\n");
  EXPECT_EQ(version.err, "");
  const Finished help = RunProgram({"--help"});
  EXPECT_EQ(help.code, 0);
  EXPECT_EQ(help.err, "");
  EXPECT_THAT(help.out, HasSubstr("  bench "));
  for (const std::string& command : kCommands) {
    EXPECT_THAT(help.out, HasSubstr("  " + command));
    const Finished of_command = RunProgram({command, "--help"});
    EXPECT_EQ(of_command.code, 0) << command;
    EXPECT_EQ(of_command.err, "") << command;
    EXPECT_THAT(of_command.out, HasSubstr("usage: bitfetch " + command));
    EXPECT_THAT(of_command.out, HasSubstr("  bitfetch " + command)) << "an example";
  }
}

TEST_F(CliTest, HelpAndVersionAreWordsToo) {
  EXPECT_EQ(RunProgram({"version"}).out, RunProgram({"--version"}).out);
  EXPECT_EQ(RunProgram({"help"}).out, RunProgram({"--help"}).out);
  EXPECT_EQ(RunProgram({"help", "generate"}).out, RunProgram({"generate", "--help"}).out);
  EXPECT_EQ(RunProgram({"help", "frobnicate"}).code, 2);
}

TEST_F(CliTest, BadUsageIsSaidInOneLineAndAHint) {
  struct Case {
    std::vector<std::string> arguments;
    std::string message;
  };
  const std::vector<Case> cases = {
      {{}, "a command is missing"},
      {{"frobnicate"}, "there is no command 'frobnicate'"},
      {{"--frobnicate"}, "there is no option '--frobnicate'"},
      {{"generate", "-p", "x"}, "--model is required"},
      {{"generate", "-m"}, "-m: its value is missing"},
      {{"generate", "-m", ""}, "-m: an empty path names nothing"},
      {{"generate", "-m", "x"}, "a text is missing: give -p or -f"},
      {With({"generate"}, {"-p", "x", "-f", "y"}), "-p and -f cannot both be given"},
      {With({"perplexity"}), "a text is missing: give -p or -f"},
      {With({"tokenize"}, {"-f", ""}), "an empty path names nothing"},
      {With({"generate"}, {"-p", "x", "y"}), "'y' is not expected here"},
      {With({"generate"}, {"-p", "x", "--warmth", "1"}), "there is no option '--warmth'"},
      {With({"generate"}, {"-p", "x", "-t", "3"}), "-t: given twice"},
      {With({"tokenize"}, {"-p", "x", "--no-bos=no"}), "--no-bos: takes no value"},
      {{"generate", "-m", "x", "-p", "x", "-t", "0"}, "-t: 0 is out of range: wanted 1 to"},
      {{"generate", "-m", "x", "-p", "x", "-t", "100000"}, "-t: 100000 is out of range"},
      {With({"generate"}, {"-p", "x", "-c", "-1"}), "-c: -1 is out of range"},
      {With({"generate"}, {"-p", "x", "-n", "3", "--n-predict", "2"}),
       "-n and --n-predict are the same option: given twice"},
      {With({"generate"}, {"-p", "x", "--n-predict", "x", "-n", "2"}), "--n-predict: 'x' is not"},
      {With({"generate"}, {"-p", "x", "-n", "2", "--predict=x"}), "--predict: 'x' is not a whole"},
      {With({"generate"}, {"-p", "x", "-n1x"}), "-n: '1x' is not a whole"},
      {With({"generate"}, {"-p", "x", "-r", "a", "--stop", "", "-r", "b"}), "--stop: an empty"},
      {With({"generate"}, {"-p", "x", "--ctx-size"}), "--ctx-size: its value is missing"},
      {With({"generate"}, {"-p", "x", "-e", "--no-escape"}), "-e and --no-escape cannot both"},
      {With({"generate"}, {"-p", "x", "-n", "-5"}), "-n: -5 is out of range: wanted -1 to"},
      {With({"generate"}, {"-p", "x", "-n", "1e3"}), "-n: '1e3' is not a whole number"},
      {With({"generate"}, {"-p", "x", "-n", "99999999999999999999"}), "is out of range"},
      {With({"generate"}, {"-p", "x", "--temp", "nan"}), "--temp: 'nan' is not a number"},
      {With({"generate"}, {"-p", "x", "--temp", "inf"}), "--temp: inf is out of range"},
      {With({"generate"}, {"-p", "x", "--temp", "-1"}), "--temp: -1 is out of range: wanted 0 to"},
      {With({"generate"}, {"-p", "x", "--top-p", "0"}), "--top-p: 0 is out of range"},
      {With({"generate"}, {"-p", "x", "--min-p", "1.5"}), "--min-p: 1.5 is out of range"},
      {With({"generate"}, {"-p", "x", "--top-k", "-1"}), "--top-k: -1 is out of range"},
      {With({"generate"}, {"-p", "x", "--repeat-penalty", "0"}), "--repeat-penalty: 0 is out of"},
      {With({"generate"}, {"-p", "x", "--seed", "-2"}), "--seed: -2 is out of range"},
      {With({"generate"}, {"-p", "x", "--stop", ""}), "--stop: an empty text"},
      {With({"generate"}, {"-p", "x", "--kv-type", "q5"}), "--kv-type: "},
      {With({"generate"}, {"-p", "x", "--pages", "1g"}), "--pages: "},
      {{"generate", "-m", "x", "-p", "x", "--prefetch", "maybe"}, "--prefetch: "},
      {With({"generate"}, {"-p", "x", "--prefetch-ahead", "64"}), "--prefetch-ahead: '64' is not"},
      {{"info"}, "nothing to show: give -m or --machine"},
      {With({"generate"}, {"-p", "x", "-ngl"}), "-ngl: its value is missing"},
      {With({"generate"}, {"-p", "x", "-nothing", "1"}), "there is no option '-nothing'"},
      {With({"generate"}, {"-p", "x", "-sys", "y"}), "there is no option '-sys'"},
      {With({"generate"}, {"-p", "x", "-ctk", "q5"}), "-ctk: 'q5' is no KV type"},
      {With({"generate"}, {"-p", "x", "-fa", "x"}), "-fa: 'x' is not known: wanted on, off"},
      {With({"generate"}, {"-e", "-p", "a\\q"}), "-e: '\\q' is no escape"},
      {{"tune", "now"}, "'now' is not expected here"},
      {{"tokenize", "-m", "x"}, "a text is missing"},
      {{"detokenize", "-m", "x", "--ids", "1,,2"}, "--ids: '' is not a whole number"},
      {{"detokenize", "-m", "x", "--tokens", "1,-2"}, "--tokens: -2 is out of range"},
      {{"logits", "-m", "x", "--tokens", "1"}, "--out is required"},
      {With({"perplexity"}, {"-f", "x", "-c", "2"}), "-c: 2 is out of range"},
      {{"synth"}, "--out is required"},
      {{"synth", "--out", "x", "--shape", "gpt"}, "--shape: shape 'gpt' is not known"},
      {{"synth", "--out", "x", "--layers", "0"}, "--layers: 0 is out of range"},
      {{"synth", "--out", "x", "--type", "F16"}, "--type: 'F16' is not known: wanted one of I2_S"},
      {{"synth", "--out", "x", "--arch", "gpt"}, "--arch: 'gpt' is not known"},
      {{"synth", "-o", "x", "--out", "y"}, "-o and --out are the same option: given twice"},
      {{"synth", "-o", "x", "--heads", "3", "--kv-heads", "2"}, "3 heads are not a multiple of 2"},
      {{"synth", "-o", "x", "--ffn", "100", "--type", "TQ1_0"}, "TQ1_0 needs a multiple of 256"},
  };
  for (const Case& each : cases) {
    const Finished finished = RunProgram(each.arguments);
    EXPECT_EQ(finished.code, 2) << each.message;
    EXPECT_EQ(finished.out, "");
    EXPECT_EQ(finished.err.rfind("error: ", 0), 0u) << finished.err;
    EXPECT_THAT(finished.err, HasSubstr(each.message));
    EXPECT_THAT(finished.err, HasSubstr("\nusage: bitfetch"));
    EXPECT_EQ(Lines(finished.err), 2) << finished.err;
  }
}

TEST_F(CliTest, EveryExampleInHelpRunsAsItStands) {
  if (!std::string_view(BITFETCH_EMULATOR).empty()) GTEST_SKIP() << "a shell runs them";
  ASSERT_EQ(symlink(BITFETCH_SOURCE_DIR "/models", dir_.Path("models").c_str()), 0);
  TestHfFolder(dir_.Path("bitnet-b1.58-2B-4T-bf16"), HfModel("bitnet-b1.58"), HfForm::kTraining)
      .Write();
  int examples = 0;
  for (const std::string& name : kCommands) {
    if (name == "bench" || name == "tune") continue;     // they measure for a while
    if (name == "perplexity" && kIsSanitized) continue;  // takes a minute there
    std::istringstream help(RunProgram({name, "--help"}).out);
    for (std::string line; std::getline(help, line);) {
      const size_t program = line.find("bitfetch " + name);
      if (!line.starts_with("  ") || program == std::string::npos) continue;
      if (line.find("bitnet-2b4t --out") != std::string::npos) continue;  // 1.2 GB
      const std::string command =
          fmt::format("cd '{}' && ({}'{}'{}) </dev/null 2>&1 >out", dir_.path(),
                      line.substr(0, program), BITFETCH_PROGRAM, line.substr(program + 8));
      FILE* run = popen(command.c_str(), "r");
      ASSERT_NE(run, nullptr);
      std::string said;
      for (int c; (c = std::fgetc(run)) != EOF;) said += static_cast<char>(c);
      EXPECT_EQ(pclose(run), 0) << line << '\n' << said;
      ++examples;
    }
  }
  EXPECT_GE(examples, 10);
}

TEST_F(CliTest, NoLineOfHelpIsTooLongForATerminal) {
  for (const std::string& name : kCommands) {
    std::istringstream help(RunProgram({name, "--help"}).out);
    for (std::string line; std::getline(help, line);) EXPECT_LE(line.size(), 100u) << line;
  }
}

// --- bad input

TEST_F(CliTest, BadInputIsOneLine) {
  ExpectError(RunProgram({"info", "-m", dir_.Path("none.gguf")}), "No such file or directory");
  ExpectError(RunProgram({"info", "-m", dir_.path()}), "is a directory");
  WriteText(dir_.Path("empty"), "");
  ExpectError(RunProgram({"generate", "-m", dir_.Path("empty"), "-p", "x"}), "is empty");
  WriteText(dir_.Path("text"), "This is no model, it is a text of some length.");
  ExpectError(RunProgram({"chat", "-m", dir_.Path("text")}), dir_.Path("text"));
  ExpectError(RunProgram({"tokenize", "-m", dir_.Path("new\nline"), "-p", "x"}), "new\\x0aline");
  ExpectError(RunProgram({"tokenize", "-m", kModel, "-f", dir_.Path("none")}),
              dir_.Path("none") + ": No such file or directory");
  ExpectError(RunProgram({"tokenize", "-m", kModel, "-f", dir_.path()}), "Is a directory");
  ExpectError(RunProgram({"detokenize", "-m", kModel, "--tokens", "1,999999"}), "999999");
  ExpectError(RunProgram(With({"logits"}, {"--tokens", "5,999999", "-o", dir_.Path("out")})),
              "999999");
  ExpectError(RunProgram(With({"logits"}, {"--tokens", "5", "-o", dir_.Path("no/out")})),
              "No such file or directory");
  ExpectError(RunProgram(With({"logits"}, {"--tokens", "5,5,5", "-c", "2", "-o", dir_.Path("x")})),
              "the context of 2 tokens");
  ExpectError(RunProgram(With({"perplexity"}, {"-f", dir_.Path("text"), "-c", "64"})),
              "fewer than one window of 64");
  ExpectError(RunProgram(With({"perplexity"}, {"-f", "/dev/null"})), "/dev/null has no text");
  ExpectError(RunProgram(With({"perplexity"}, {"-f", "-"})), "stdin has no text");
  ExpectError(RunProgram(With({"perplexity"}, {"-p", ""})), "-p has no text");
  ExpectError(RunProgram({"synth", "-o", dir_.Path("no/model.gguf")}), "No such file");
  for (const char* name : {"out", "x"}) {
    EXPECT_NE(access(dir_.Path(name).c_str(), F_OK), 0) << "nothing half-written";
  }
}

// With less and less room for the program: it works, or says so.
TEST_F(CliTest, TooLittleMemoryIsAnError) {
  if (kIsSanitized || !std::string_view(BITFETCH_EMULATOR).empty()) {
    GTEST_SKIP() << "what runs the program needs far more room than the program";
  }
  int errors = 0;
  for (int64_t kib = 1 << 20; kib > 100; kib -= kib / 12) {
    const std::string command = fmt::format(
        "ulimit -v {}; exec '{}' generate -m '{}' --prefetch 4096 -t 2 -p a -n 2 --temp 0 2>&1 "
        ">'{}'",
        kib, BITFETCH_PROGRAM, kModel, dir_.Path("out"));
    FILE* program = popen(command.c_str(), "r");
    ASSERT_NE(program, nullptr);
    std::string said;
    for (int c; (c = std::fgetc(program)) != EOF;) said += static_cast<char>(c);
    const int status = pclose(program);
    ASSERT_TRUE(WIFEXITED(status)) << kib << ": " << status << ' ' << said;
    if (WEXITSTATUS(status) == 0) continue;
    if (WEXITSTATUS(status) == 127) break;  // not even its libraries can be loaded
    EXPECT_EQ(WEXITSTATUS(status), 1) << kib;
    EXPECT_THAT(said, MatchesRegex("(warning: [^\n]*\n)?error: [^\n]*\n")) << kib;
    ++errors;
  }
  EXPECT_GT(errors, 3);
}

TEST_F(CliTest, AnIsaThatIsNotKnownIsAnError) {
  setenv("BITFETCH_ISA", "pentium", 1);
  ExpectError(RunProgram(With({"generate"}, {"-p", "x"})), "pentium");
  ExpectError(RunProgram({"info", "--machine"}), "pentium");
  unsetenv("BITFETCH_ISA");
}

TEST_F(CliTest, AFullDiskIsAnError) {
  const std::vector<std::vector<std::string>> commands = {
      {"--help"},
      {"--version"},
      {"info", "-m", kModel},
      {"tokenize", "-m", kModel, "-p", "x"},
      {"detokenize", "-m", kModel, "--tokens", "100"},
      With({"generate"}, {"-p", "In the", "-n", "3", "--temp", "0"}),
  };
  for (const auto& command : commands) {
    const Finished finished = RunProgram(command, "", "/dev/full");
    EXPECT_EQ(finished.code, 1) << command[0];
    EXPECT_EQ(finished.err, "error: stdout: No space left on device\n") << command[0];
  }
  ExpectError(RunProgram(With({"logits"}, {"--tokens", "1", "-o", "/dev/full"})),
              "/dev/full: No space left on device");
}

// --- tokenize and detokenize

TEST_F(CliTest, TokensBecomeTheSameText) {
  for (const std::string text : {"In the beginning", " \n\n  x\t", "",
                                 "h\u00e9 \u4e2d\u6587 \U0001f600\r\n\x01<|eot_id|>"}) {
    WriteText(dir_.Path("text"), text);
    const Finished from_file = RunProgram({"tokenize", "-m", kModel, "-f", dir_.Path("text")});
    const Finished from_stdin = RunProgram({"tokenize", "-m", kModel, "-p", "-"}, text);
    const Finished from_stdin_too = RunProgram({"tokenize", "-m", kModel, "-f", "-"}, text);
    const Finished given = RunProgram({"tokenize", "-m", kModel, "-p", text});
    const Finished bare = RunProgram({"tokenize", "-m", kModel, "-p", text, "--no-bos"});
    EXPECT_EQ(from_file.code, 0) << from_file.err;
    EXPECT_EQ(from_file.err, "");
    EXPECT_EQ(from_stdin.out, from_file.out);
    EXPECT_EQ(from_stdin_too.out, from_file.out);
    EXPECT_EQ(given.out, from_file.out);
    EXPECT_THAT(bare.out, MatchesRegex("([0-9]+(,[0-9]+)*)?\n"));
    const std::string bos = given.out.substr(0, given.out.find_first_of(",\n"));
    EXPECT_EQ(given.out, text.empty() ? bos + "\n" : bos + "," + bare.out);

    std::string tokens = given.out;
    tokens.pop_back();
    const Finished back = RunProgram({"detokenize", "-m", kModel, "--ids", tokens});
    EXPECT_EQ(back.code, 0);
    EXPECT_EQ(back.out, text) << "BOS has no text, and nothing is added";
    EXPECT_EQ(back.err, "");
  }
}

TEST_F(CliTest, ControlTokensInATextAreReadOnlyWhenAsked) {
  const auto tokenize = [](std::vector<std::string> more) {
    more.insert(more.begin(), {"tokenize", "-m", kModel});
    const Finished finished = RunProgram(more);
    EXPECT_EQ(finished.code, 0) << finished.err;
    return finished.out;
  };
  EXPECT_EQ(tokenize({"-p", "a<|end_of_text|>", "--special"}), "2043,97,2044\n");
  EXPECT_EQ(tokenize({"-p", "a<|end_of_text|>", "--special", "--no-bos"}), "97,2044\n");
  EXPECT_EQ(tokenize({"-p", "<|begin_of_text|>a", "--special"}), "2043,97\n");
  EXPECT_THAT(tokenize({"-p", "a<|end_of_text|>"}), testing::Not(HasSubstr("2044")));
}

TEST_F(CliTest, AWholeTextEndsInEosWhereTheFileAsksForIt) {
  const std::string model = dir_.Path("eos.gguf");
  TestModelWriter writer({.vocab = 260});
  AddSynthTokenizer("bitnet-b1.58", 260, writer.writer());
  writer.writer().Add<bool>("tokenizer.ggml.add_eos_token", true);
  ASSERT_TRUE(writer.Write(model));
  const auto tokenize = [&](const std::vector<std::string>& more) {
    std::vector<std::string> arguments = {"tokenize", "-m", model, "-p", "a<|end_of_text|>"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return RunProgram(arguments).out;
  };
  EXPECT_THAT(tokenize({}), MatchesRegex("256,97,.*,62,257\n"));
  EXPECT_EQ(tokenize({"--special"}), "256,97,257\n");
  EXPECT_EQ(tokenize({"--special", "--no-bos"}), "97,257\n");
  EXPECT_THAT(RunProgram({"generate", "-m", model, "-p", "a", "-n", "1", "--prefetch", "off"}).err,
              HasSubstr("prompt 2 tokens"));
}

TEST_F(CliTest, BrokenUtf8IsReplacedWithOneWarning) {
  WriteText(dir_.Path("broken"),
            "a\xff\xfe"
            "b");
  WriteText(dir_.Path("mended"),
            "a\ufffd\ufffd"
            "b");
  const Finished broken = RunProgram({"tokenize", "-m", kModel, "-f", dir_.Path("broken")});
  const Finished mended = RunProgram({"tokenize", "-m", kModel, "-f", dir_.Path("mended")});
  EXPECT_EQ(broken.code, 0);
  EXPECT_EQ(broken.out, mended.out);
  EXPECT_EQ(mended.err, "");
  EXPECT_EQ(broken.err, "warning: the text is not UTF-8 in 2 places: read as U+FFFD\n");
}

TEST_F(CliTest, TextsThatLookLikeOptionsAreTexts) {
  for (const std::string text : {"--help", "-1", "[a,b]", "generate", "%x"}) {
    WriteText(dir_.Path("text"), text);
    EXPECT_EQ(RunProgram({"tokenize", "-m", kModel, "-p", text}).out,
              RunProgram({"tokenize", "-m", kModel, "-f", dir_.Path("text")}).out)
        << text;
  }
}

}  // namespace
}  // namespace bitfetch
