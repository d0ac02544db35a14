// SPDX-License-Identifier: Apache-2.0
// Generating text, talking, and how both end.
#include <gmock/gmock.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include "base/temp_dir.h"
#include "cli/test_program.h"

namespace bitfetch {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;

const std::string kModel = BITFETCH_SOURCE_DIR "/models/tiny.gguf";

class GenerateTest : public ::testing::Test {
 protected:
  GenerateTest() { setenv("XDG_CACHE_HOME", dir_.path().c_str(), 1); }

  static std::vector<std::string> Arguments(const std::vector<std::string>& more) {
    std::vector<std::string> arguments = {"generate", "-m", kModel, "--prefetch", "off", "-t", "2"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }
  static Finished Generate(const std::vector<std::string>& more, std::string_view input = "") {
    Finished finished = RunProgram(Arguments(more), input);
    EXPECT_EQ(finished.code, 0) << finished.err;
    return finished;
  }

  // A model that writes on and on when the likeliest token is taken.
  std::string EndlessModel() {
    std::string path = dir_.Path("endless.gguf");
    const Finished synth = RunProgram({"synth", "-o", path, "--layers", "4", "--hidden", "512",
                                       "--ffn", "2048", "--vocab", "1024", "--ctx", "131072"});
    EXPECT_EQ(synth.code, 0) << synth.err;
    return path;
  }

  TempDir dir_;
};

TEST_F(GenerateTest, TextGoesToStdoutAndTimingsToStderr) {
  const Finished finished = Generate({"-p", "In the beginning", "-n", "8", "--seed", "3"});
  EXPECT_FALSE(finished.out.empty());
  EXPECT_EQ(Lines(finished.err), 1);
  EXPECT_THAT(finished.err,
              ContainsRegex("^load [0-9.]+ s \\| prompt 5 tokens, [0-9.]+ tokens/s \\| generated 8 "
                            "tokens, [0-9.]+ tokens/s \\| first token after [0-9.]+ s \\| seed 3"));
}

TEST_F(GenerateTest, TheSameSeedGivesTheSameText) {
  const std::vector<std::string> common = {"-p", "And the LORD", "-n", "12", "--temp", "1.2"};
  auto with = [&](std::vector<std::string> more) {
    more.insert(more.end(), common.begin(), common.end());
    return Generate(more);
  };
  const Finished first = with({"--seed", "11"});
  EXPECT_EQ(with({"--seed", "11"}).out, first.out);
  EXPECT_NE(with({"--seed", "12"}).out, first.out);

  // Without one, the one that was drawn is said, and gives the text again.
  const Finished drawn = with({});
  const std::string seed = drawn.err.substr(drawn.err.rfind(' ') + 1);
  EXPECT_EQ(with({"--seed", seed.substr(0, seed.size() - 1)}).out, drawn.out);
}

TEST_F(GenerateTest, NoSettingChangesTheText) {
  const std::vector<std::string> common = {"-p", "In the beginning", "-n", "10", "--temp", "0"};
  const auto with = [&](std::vector<std::string> more) {
    more.insert(more.begin(), {"generate", "-m", kModel});
    more.insert(more.end(), common.begin(), common.end());
    return RunProgram(more).out;
  };
  const std::string expected = with({"--prefetch", "off", "-t", "1"});
  EXPECT_FALSE(expected.empty());
  EXPECT_EQ(with({}), expected) << "by the law";
  EXPECT_EQ(with({"-t", "3", "--prefetch", "4096", "--prefetch-ahead", "off"}), expected);
  EXPECT_EQ(with({"--pages", "4k", "--no-mmap", "-c", "40", "--prefetch", "off"}), expected);
}

TEST_F(GenerateTest, ThePromptComesFromAFileOrStdinToo) {
  const std::string prompt = "And God said,\n";
  std::ofstream(dir_.Path("prompt")) << prompt;
  const std::vector<std::string> end = {"-n", "5", "--temp", "0"};
  const auto with = [&](std::vector<std::string> more, std::string_view input = "") {
    more.insert(more.end(), end.begin(), end.end());
    return Generate(more, input).out;
  };
  const std::string expected = with({"-p", prompt});
  EXPECT_EQ(with({"-f", dir_.Path("prompt")}), expected);
  EXPECT_EQ(with({"-p", "-"}, prompt), expected);
  EXPECT_NE(with({"-p", "-"}, ""), expected) << "an empty prompt is BOS alone";
}

TEST_F(GenerateTest, EndsBeforeAStopText) {
  const std::vector<std::string> common = {"-p", "In the beginning", "-n", "20", "--temp", "0"};
  const auto with = [&](std::vector<std::string> more) {
    more.insert(more.end(), common.begin(), common.end());
    return Generate(more).out;
  };
  const std::string text = with({});
  const std::string stop = text.substr(text.size() / 2, 4);
  EXPECT_EQ(with({"--stop", stop}), text.substr(0, text.find(stop)));
  EXPECT_EQ(with({"--stop", "no such text", "--stop", stop}), text.substr(0, text.find(stop)));
  EXPECT_EQ(with({"--stop", "[" + stop + "]"}), text);
}

TEST_F(GenerateTest, SaysThatTheContextIsFull) {
  const Finished finished = Generate({"-p", "In the beginning", "-c", "10", "--temp", "0"});
  EXPECT_THAT(finished.err, HasSubstr("the context of 10 tokens is full\n"));
  EXPECT_THAT(finished.err, HasSubstr("generated 6 tokens"));
  ExpectError(RunProgram(Arguments({"-p", "In the beginning God created", "-c", "4"})),
              "tokens, but the context holds only 4");
}

TEST_F(GenerateTest, WritesNothingMoreThanAsked) {
  EXPECT_EQ(Generate({"-p", "In the", "-n", "0"}).out, "");
  const Finished longer = Generate({"-p", "In the", "-c", "600", "-n", "1", "--temp", "0"});
  EXPECT_THAT(longer.err, HasSubstr("warning: "));
  EXPECT_THAT(longer.err, HasSubstr("made for a context of 512 tokens, not 600"));
}

TEST_F(GenerateTest, EndsQuietlyWhenNobodyReads) {
  Program program({"generate", "-m", EndlessModel(), "-p", "x", "--temp", "0", "-t", "2"}, "",
                  /*read_at_most=*/10);
  const Finished finished = program.Wait();
  EXPECT_EQ(finished.code, 0);
  EXPECT_EQ(finished.err, "");
  EXPECT_GE(finished.out.size(), 10u);
}

TEST_F(GenerateTest, CtrlCEndsWithWhatWasWritten) {
  const std::vector<std::string> arguments = {
      "generate", "-m", EndlessModel(), "-p", "x", "--temp", "0", "-t", "2", "--prefetch", "off"};
  Program program(arguments);
  program.WaitForOut(20);
  program.Signal(SIGINT);
  const Finished interrupted = program.Wait();
  EXPECT_EQ(interrupted.code, 130);
  EXPECT_THAT(interrupted.err, HasSubstr("generated "));

  std::vector<std::string> some = arguments;
  some.insert(some.end(), {"-n", "20"});
  const std::string expected = RunProgram(some).out;
  const size_t both = std::min(expected.size(), interrupted.out.size()) - 8;  // in whole characters
  EXPECT_EQ(interrupted.out.substr(0, both), expected.substr(0, both));
}

TEST_F(GenerateTest, CtrlCWhileReadingThePromptEndsToo) {
  std::ofstream(dir_.Path("prompt")) << std::string(100000, 'x');
  const std::string model = EndlessModel();
  Finished finished = {};
  // Later each time, until it no longer loads.
  for (auto wait = std::chrono::milliseconds(100); finished.err.empty(); wait *= 2) {
    Program program({"generate", "-m", model, "-f", dir_.Path("prompt"), "-t", "2"});
    std::this_thread::sleep_for(wait);
    program.Signal(SIGINT);
    finished = program.Wait();
    EXPECT_EQ(finished.out, "");
  }
  EXPECT_EQ(finished.code, 130);
  EXPECT_EQ(finished.err, "stopped while reading the prompt\n");
}

// --- chat

class ChatTest : public GenerateTest {
 protected:
  static std::vector<std::string> Chat(const std::vector<std::string>& more,
                                       const std::string& model = kModel) {
    std::vector<std::string> arguments = {"chat",   "-m", model, "--prefetch", "off",
                                          "--temp", "0",  "-t",  "2"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }

  // Until the last answer has ended.
  static void WaitUntilItReads(Program& program) {
    program.Write("/help\n");
    EXPECT_TRUE(program.WaitForErr("/clear"));
  }
};

TEST_F(ChatTest, AnswersLineByLineUntilTheEnd) {
  const Finished one = RunProgram(Chat({"-n", "6"}), "Who is he?\n");
  EXPECT_EQ(one.code, 0) << one.err;
  EXPECT_EQ(Lines(one.err), 1);
  EXPECT_THAT(one.err,
              ContainsRegex("^load .* \\| prompt [0-9]+ tokens, .* \\| generated 6 tokens, "
                            ".* \\| first token after [0-9.]+ s\n$"));
  EXPECT_EQ(one.out.back(), '\n');
  const Finished two = RunProgram(Chat({"-n", "6"}), "Who is he?\n\nAnd who is she?");
  EXPECT_EQ(two.code, 0) << two.err;
  EXPECT_EQ(two.out.rfind(one.out, 0), 0u);
  EXPECT_EQ(Lines(two.err), 1);
  EXPECT_THAT(two.err, HasSubstr("| generated 12 tokens, "));  // of both answers
  EXPECT_GT(two.out.size(), one.out.size());
  EXPECT_NE(RunProgram(Chat({"-n", "6", "--system", "Answer."}), "Who is he?\n").out, one.out);
}

TEST_F(ChatTest, ClearForgetsTheConversation) {
  const std::vector<std::string> chat = Chat({"-n", "6"}, EndlessModel());
  const std::string once = RunProgram(chat, "a\n").out;
  const std::string again = RunProgram(chat, "a\na\n").out;
  const std::string anew = RunProgram(chat, "a\n/clear\na\n").out;
  EXPECT_EQ(anew, once + once);
  EXPECT_EQ(again.rfind(once, 0), 0u);
  EXPECT_NE(again, anew);
}

TEST_F(ChatTest, CommandsAreNotSaidToTheModel) {
  const Finished finished =
      RunProgram(Chat({"-n", "6"}), "/help\n/nothing\n/exit \t\nWho is he?\n");
  EXPECT_EQ(finished.code, 0);
  EXPECT_EQ(finished.out, "");
  EXPECT_THAT(finished.err, HasSubstr("/clear"));
  EXPECT_THAT(finished.err, HasSubstr("/nothing is not known"));
}

TEST_F(ChatTest, QuotesHoldAMessageOfSeveralLines) {
  const std::vector<std::string> chat = Chat({"-n", "6"});
  const std::string expected = RunProgram(chat, "\"\"\"Who\nis he?\"\"\"\n").out;
  EXPECT_EQ(Lines(RunProgram(chat, "Who\nis he?\n").err), 1);
  EXPECT_NE(RunProgram(chat, "Who\nis he?\n").out, expected);
  EXPECT_EQ(RunProgram(chat, "\"\"\"\nWho\nis he?\n\"\"\" \n/exit\n").out, expected);
  EXPECT_EQ(RunProgram(chat, "\"\"\"Who\nis he?").out, expected) << "cut off by the end";
  EXPECT_EQ(RunProgram(chat, "\"\"\"/exit\"\"\"\n").out.empty(), false);
}

TEST_F(ChatTest, SaysWhenTheContextIsFull) {
  const Finished finished =
      RunProgram(Chat({"-c", "30"}), "Who is he?\n/clear\nWho is he?\nAnd she?\nAnd they?\n");
  EXPECT_EQ(finished.code, 1);
  EXPECT_THAT(finished.err, HasSubstr("the context of 30 tokens is full; /clear starts anew\n"));
  EXPECT_THAT(finished.err, HasSubstr("error: the context of 30 tokens is full: "));
  EXPECT_EQ(finished.err.find("error"), finished.err.rfind("error"));
}

TEST_F(ChatTest, CtrlCStopsTheAnswerAndNotTheProgram) {
  Program program(Chat({}, EndlessModel()));
  program.Write("a\n");
  const size_t first = program.WaitForOut(20).size();
  ASSERT_GE(first, 20u);
  program.Signal(SIGINT);
  WaitUntilItReads(program);
  program.Write("b\n");
  program.WaitForOut(program.WaitForOut(0).size() + 20);
  program.Signal(SIGINT);
  program.Write("/exit\n");
  const Finished finished = program.Wait();
  EXPECT_EQ(finished.code, 0) << finished.err;
}

TEST_F(ChatTest, CtrlCTwiceWhileWaitingEnds) {
  Program program(Chat({"-n", "3"}));
  program.Write("a\n");
  WaitUntilItReads(program);
  program.Signal(SIGINT);
  ASSERT_TRUE(program.WaitForErr("Ctrl-C once more ends the chat"));
  program.Signal(SIGINT);
  EXPECT_EQ(program.Wait().code, 130);
}

TEST_F(ChatTest, EndsQuietlyWhenNobodyReads) {
  Program program(Chat({}, EndlessModel()), "", /*read_at_most=*/10);
  program.Write("a\n");
  const Finished finished = program.Wait();
  EXPECT_EQ(finished.code, 0);
  EXPECT_EQ(finished.err, "");
}

TEST_F(ChatTest, AModelWithoutAChatFormIsAnError) {
  const std::string path = dir_.Path("m.gguf");
  ASSERT_EQ(RunProgram({"synth", "-o", path, "--arch", "llama", "--vocab", "259"}).code, 0);
  ExpectError(RunProgram(Chat({}, path)), path);
}

TEST_F(ChatTest, AModelCutWhileItIsMappedIsAnError) {
  const std::string path = dir_.Path("m.gguf");
  for (const bool mmap : {true, false}) {
    std::filesystem::copy_file(kModel, path, std::filesystem::copy_options::overwrite_existing);
    std::vector<std::string> chat = Chat({"-n", "6"}, path);
    if (!mmap) chat.emplace_back("--no-mmap");
    Program program(chat);
    WaitUntilItReads(program);
    std::filesystem::resize_file(path, 100);
    program.Write("a\n");
    const Finished finished = program.Wait();
    EXPECT_EQ(finished.code, mmap ? 1 : 0) << finished.err;
    EXPECT_EQ(finished.out.empty(), mmap);
    if (!mmap) continue;
    const size_t error = finished.err.find("error: ");
    ASSERT_NE(error, std::string::npos) << finished.err;
    EXPECT_THAT(finished.err.substr(error),
                ContainsRegex("^error: /.*/m.gguf: the file was cut .*--no-mmap.*\n$"));
    EXPECT_EQ(Lines(finished.err.substr(error)), 1);
  }
}

TEST_F(ChatTest, ABusErrorThatIsNoCutFileEndsItAsEver) {
  Program program(Chat({}));
  WaitUntilItReads(program);
  program.Signal(SIGBUS);
  EXPECT_EQ(program.Wait().code, -SIGBUS);
}

}  // namespace
}  // namespace bitfetch
