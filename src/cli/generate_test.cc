// SPDX-License-Identifier: Apache-2.0
// Generating text, talking, and how both end.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

#include "base/temp_dir.h"
#include "cli/test_commands.h"
#include "cli/test_program.h"

namespace bitfetch {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;

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

TEST_F(GenerateTest, TheProfileTellsOfEveryStage) {
  const Finished finished = Generate({"-p", "And", "-n", "4", "--profile"});
  for (const char* part : {"\nnorm ", "\nqkv ", "\nattention ", "\nhead ", "\nbetween ", "\nall ",
                           "\nKV cache: ", "\ndraft: "}) {
    EXPECT_THAT(finished.err, HasSubstr(part));
  }
}

TEST_F(GenerateTest, DraftsChangeNothing) {
  const std::vector<std::string> common = {
      "-p",        "And God said, Let there be light: and there was",
      "-n",        "40",
      "--temp",    "0",
      "--profile", "--draft"};
  const auto with = [&](const std::string& draft) {
    std::vector<std::string> arguments = common;
    arguments.push_back(draft);
    return Generate(arguments);
  };
  const Finished off = with("off");
  EXPECT_THAT(off.err, HasSubstr("\ndraft: 0 of 0 guessed tokens stood, 1.00 tokens a pass\n"));
  for (const std::string draft : {"auto", "1", "8"}) EXPECT_EQ(with(draft).out, off.out) << draft;
  EXPECT_THAT(with("8").err, testing::Not(HasSubstr("\ndraft: 0 of 0 ")));
  EXPECT_EQ(RunProgram({"generate", "-m", kModel, "-p", "And", "--draft", "0"}).code, 2);
}

TEST_F(GenerateTest, TheTokenThatEndsTheTextIsCounted) {
  // The likeliest continuation begins with " of the house", three tokens: the third is made EOS.
  const Finished house = RunProgram({"tokenize", "-m", kModel, "-p", " house", "--no-bos"});
  const auto id = static_cast<uint32_t>(std::stoul(house.out));
  std::ifstream file(kModel, std::ios::binary);
  std::string bytes((std::istreambuf_iterator<char>(file)), {});
  const std::string key = "tokenizer.ggml.eos_token_id";
  const size_t at = bytes.find(key) + key.size() + sizeof(uint32_t);  // behind the value's type
  std::memcpy(bytes.data() + at, &id, sizeof id);
  const std::string model = dir_.Path("ends.gguf");
  std::ofstream(model, std::ios::binary) << bytes;
  const Finished finished = RunProgram({"generate", "-m", model, "-p", "In the beginning", "--temp",
                                        "0", "--prefetch", "off", "-n", "20"});
  EXPECT_EQ(finished.out, " of the");
  EXPECT_THAT(finished.err, HasSubstr("| generated 3 tokens, "));
}

TEST_F(GenerateTest, SpecialReadsControlTokensInThePrompt) {
  const Finished plain = Generate({"-p", "x<|end_of_text|>", "-n", "1"});
  EXPECT_THAT(plain.err, testing::Not(HasSubstr("prompt 3 tokens")));
  const Finished special = Generate({"-p", "x<|end_of_text|>", "-n", "1", "--special"});
  EXPECT_THAT(special.err, HasSubstr("| prompt 3 tokens, "));  // BOS, x and EOS
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
  for (const Finished& drawn : {with({}), with({"--seed", "-1"})}) {
    const std::string seed = drawn.err.substr(drawn.err.rfind(' ') + 1);
    EXPECT_EQ(with({"--seed", seed.substr(0, seed.size() - 1)}).out, drawn.out);
  }
  EXPECT_NE(with({"--seed", "-1"}).err, with({"--seed", "-1"}).err);
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
  EXPECT_EQ(with({}), expected);
  EXPECT_EQ(with({"--prefetch", "auto", "--prefetch-ahead", "auto"}), expected);
  EXPECT_EQ(with({"--prefetch", "law", "--prefetch-ahead", "law"}), expected);
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

TEST_F(GenerateTest, ReadsEscapesIfAsked) {
  std::ofstream(dir_.Path("prompt")) << "And God said,\n";
  const std::vector<std::string> end = {"-n", "30", "--temp", "0"};
  const auto with = [&](std::vector<std::string> more) {
    more.insert(more.end(), end.begin(), end.end());
    return Generate(more).out;
  };
  const std::string text = with({"-f", dir_.Path("prompt")});
  EXPECT_EQ(with({"-e", "-p", "And God said,\\n"}), text);
  EXPECT_NE(with({"-p", "And God said,\\n"}), text);

  EXPECT_EQ(with({"--no-escape", "-p", "And God said,\\n"}), with({"-p", "And God said,\\n"}));

  const std::string stop = text.substr(text.size() / 2, 1);
  const std::string escaped = fmt::format("\\x{:02x}", static_cast<unsigned char>(stop[0]));
  const std::vector<std::string> stopped = {"-f", dir_.Path("prompt"), "--stop", escaped};
  EXPECT_EQ(with(stopped), text);
  std::vector<std::string> with_escapes = stopped;
  with_escapes.insert(with_escapes.begin(), "--escape");
  EXPECT_EQ(with(with_escapes), text.substr(0, text.find(stop)));
}

TEST_F(GenerateTest, UnderstandsTheSpellingsOfLlamaCpp) {
  const Finished ours = Generate({"-p", "In the", "--tokens", "9", "--ctx", "40", "--seed", "5",
                                  "--kv-type", "q8_0:q4_0", "--stop", "x", "--temp", "2"});
  const Finished theirs =
      Generate({"-p", "In the", "--n-predict", "9", "--ctx-size", "40", "-s", "5", "-ctk", "q8_0",
                "-ctv", "q4_0", "-r", "x", "--temperature", "2", "-ngl", "0"});
  EXPECT_EQ(theirs.out, ours.out);
  EXPECT_EQ(Lines(theirs.err), 1) << theirs.err;
  EXPECT_NE(Generate({"-p", "In the", "-n", "9", "-s", "6", "--temp", "2"}).out, ours.out);

  const Finished ignored =
      Generate({"-p", "In the", "-n", "9", "-ngl", "99", "-fa", "on", "--mlock", "-s", "5"});
  EXPECT_EQ(Lines(ignored.err), 2) << ignored.err;
  EXPECT_EQ(ignored.err.rfind("warning: ", 0), 0u) << ignored.err;
  EXPECT_THAT(ignored.err, HasSubstr("ignored: -ngl, -fa, --mlock\n"));
  EXPECT_EQ(ignored.out, Generate({"-p", "In the", "-n", "9", "-s", "5"}).out);
}

TEST_F(GenerateTest, TheContextIsWhatHalfOfTheMemoryHolds) {
  const std::string path = dir_.Path("long.gguf");  // 2 TiB of KV cache
  ASSERT_EQ(RunProgram({"synth", "-o", path, "--layers", "8", "--heads", "16", "--kv-heads", "16",
                        "--head-dim", "128", "--ctx", "16777216"})
                .code,
            0);
  const std::vector<std::string> generate = {"generate", "-m",         path, "--kv-type", "f32",
                                             "-p",       "x",          "-n", "2",         "-t",
                                             "2",        "--prefetch", "off"};
  const Finished less = RunProgram(generate);
  EXPECT_EQ(less.code, 0) << less.err;
  EXPECT_EQ(Lines(less.err), 2) << less.err;
  EXPECT_THAT(less.err, ContainsRegex("^warning: .*/long.gguf: the context is [0-9]+ tokens, "
                                      "whose KV cache takes half of the free memory; the model was "
                                      "made for 16777216"));
  std::vector<std::string> given = generate;
  given.insert(given.end(), {"-c", "100"});
  EXPECT_EQ(Lines(RunProgram(given).err), 1);
  given.back() = "16777216";
  ExpectError(RunProgram(given), "GB of memory are free");
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
                  /*max_out=*/10);
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
  const Finished system = RunProgram(Chat({"-n", "6", "--system", "Answer.\n"}), "Who is he?\n");
  EXPECT_NE(system.out, one.out);
  EXPECT_EQ(RunProgram(Chat({"-n", "6", "-e", "-sys", "Answer.\\n"}), "Who is he?\n").out,
            system.out);
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
  Program program(Chat({}, EndlessModel()), "", /*max_out=*/10);
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
