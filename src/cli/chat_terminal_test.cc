// SPDX-License-Identifier: Apache-2.0
// Talking at a terminal: what is typed reaches the model as it does through a pipe.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <utility>

#include "base/temp_dir.h"
#include "cli/test_commands.h"
#include "cli/test_program.h"
#include "cli/test_terminal.h"

namespace bitfetch {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

const std::string kUp = "\x1b[A";
const std::string kLeft = "\x1b[D";

std::string Paste(const std::string& text) { return "\x1b[200~" + text + "\x1b[201~"; }

std::vector<std::string> Chat(const std::vector<std::string>& more = {}) {
  std::vector<std::string> arguments = {"chat",   "-m", kModel, "--prefetch", "off",
                                        "--temp", "0",  "-t",   "2"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

class ChatTerminalTest : public ::testing::Test {
 protected:
  ChatTerminalTest() {
    setenv("XDG_CACHE_HOME", dir_.path().c_str(), 1);
    setenv("XDG_STATE_HOME", dir_.path().c_str(), 1);
    setenv("HOME", dir_.path().c_str(), 1);
    setenv("TERM", "xterm", 1);
    setenv("LC_ALL", "C", 1);
  }

  // What is answered to `keys`, and the timings.
  Finished Typed(const std::string& keys) {
    Terminal terminal;
    Program program(Chat({"-n", "6"}), "", SIZE_MAX, terminal.AsStdinAndStderr());
    EXPECT_TRUE(terminal.WaitFor("> "));
    terminal.Type(keys);
    terminal.Type("\x04");  // Ctrl-D
    Finished finished = program.Wait();
    finished.err = terminal.Shown();
    EXPECT_EQ(finished.code, 0) << finished.err;
    return finished;
  }

  // The same through a pipe.
  static Finished Piped(const std::string& text) { return RunProgram(Chat({"-n", "6"}), text); }

  // "prompt 12 tokens".
  static std::string PromptTokens(const std::string& said) {
    const size_t prompt = said.rfind("| prompt ");
    if (prompt == std::string::npos) return said;
    return said.substr(prompt + 2, said.find(',', prompt) - prompt - 2);
  }

  void ExpectAsPiped(const std::string& keys, const std::string& text) {
    const Finished typed = Typed(keys);
    const Finished piped = Piped(text);
    EXPECT_EQ(typed.out, piped.out);
    EXPECT_EQ(PromptTokens(typed.err), PromptTokens(piped.err)) << typed.err;
  }

  TempDir dir_;
};

TEST_F(ChatTerminalTest, ALongLineArrivesWhole) {
  std::string line;
  for (int i = 0; line.size() < 10'000; ++i) line += fmt::format("{} the waters ", i);
  line.resize(10'000);
  const Finished typed = Typed(line + "\r");
  const Finished piped = Piped(line + "\n");
  // More than this model's context, and said to be as much more.
  const size_t at = piped.err.find("the context of ");
  ASSERT_NE(at, std::string::npos) << piped.err;
  EXPECT_THAT(typed.err, HasSubstr(piped.err.substr(at, piped.err.find(';') - at)));
}

TEST_F(ChatTerminalTest, APasteIsOneMessage) {
  ExpectAsPiped(Paste("And God said,\rLet there be\r\nlight\r") + "\r",
                "\"\"\"And God said,\nLet there be\nlight\"\"\"\n");
  ExpectAsPiped("He " + Paste("said") + " so" + Paste("") + "\r", "He said so\n");
}

TEST_F(ChatTerminalTest, KeysEditAndDoNotReachTheModel) {
  ExpectAsPiped("Who s he" + kLeft + kLeft + kLeft + kLeft + "i\r", "Who is he\n");
  ExpectAsPiped("Hex\x7f is\r", "He is\n");
  ExpectAsPiped("a\rb\r" + kUp + kUp + "c\r", "a\nb\nac\n");
}

TEST_F(ChatTerminalTest, EveryTerminalsKeysMove) {
  for (const std::string home : {"[H", "OH", "[1~", "[7~"}) {
    ExpectAsPiped("ho\x1b" + home + "W\r", "Who\n");
  }
  for (const std::string end : {"[F", "OF", "[4~", "[8~"}) {
    ExpectAsPiped("Wh" + kLeft + kLeft + "\x1b" + end + "o\r", "Who\n");
  }
  for (const std::string word : {"[1;5", "[1;3", "[5", "\x1b["}) {
    ExpectAsPiped("he is\x1b" + word + "D\x1b" + word + "DWho t\x1b" + word + "Cn\r",
                  "Who then is\n");
  }
  ExpectAsPiped("Whoo" + kLeft + "\x1b[3~ is\r", "Who is\n");
}

TEST_F(ChatTerminalTest, TheUsersOwnKeysAreKept) {
  const auto editrc = [&](std::string_view text) { std::ofstream(dir_.Path(".editrc")) << text; };
  editrc("bind ^T ed-move-to-beg\nbind ^[[H ed-move-to-end\n");
  ExpectAsPiped("ho\x14W\x1b[H is\r", "Who is\n");
  editrc("bind -v\n");
  ExpectAsPiped("ho\x1b[1~W\x1b[5~\t\r", "W\tho\n");
}

TEST_F(ChatTerminalTest, OtherKeysDoNothing) {
  std::string keys = "Who";
  for (const char* key :
       {"[5~",   "[6~",   "[2~",   "[15~",     "OP",     "OS",     "[[A",
        "[3;5~", "[1;2A", "[1;5A", "[1;2D",    "[3$",    "[1;5H",  "[Z",
        "[I",    "[O",    "[201~", "[27;5;9~", "[?1;2c", "\x1b[A", "[99;99;99;99u"}) {
    keys += std::string("\x1b") + key + "x";
  }
  ExpectAsPiped(keys + "\r", "Who" + std::string(21, 'x') + "\n");
  ExpectAsPiped(Paste("a\x1b[5~b") + "\r", "a\x1b[5~b\n");
}

TEST_F(ChatTerminalTest, ATabIsACharacter) {
  ExpectAsPiped("a\tb\r", "a\tb\n");
  ExpectAsPiped(Paste("a\t\tb") + "\r", "a\t\tb\n");
}

TEST_F(ChatTerminalTest, Utf8ArrivesInAnyLocale) {
  const std::string text = "h\u00e9 \u0416 \u4e2d\u6587 \U0001f600 \u00ff";
  for (const char* locale : {"C", "C.UTF-8"}) {
    setenv("LC_ALL", locale, 1);
    ExpectAsPiped(text + "\r", text + "\n");
    ExpectAsPiped(Paste(text) + "\r", text + "\n");
    ExpectAsPiped("a\u4e2d\u6587" + kLeft +
                      "\x7f"
                      "b\r",
                  "ab\u6587\n");
  }
  EXPECT_THAT(Typed("a\xff\r").err, HasSubstr("warning: the text is not UTF-8 in 1 place"));
}

TEST_F(ChatTerminalTest, QuotesHoldAMessageOfSeveralLines) {
  ExpectAsPiped("\"\"\"\rfirst\rsecond\r\"\"\"\r", "\"\"\"first\nsecond\"\"\"\n");
  ExpectAsPiped("\"\"\"/exit\"\"\" \r", "\"\"\"/exit\"\"\"\n");
  ExpectAsPiped(
      "\"\"\"a\x03"
      "b\r",
      "b\n");
}

TEST_F(ChatTerminalTest, CtrlCDropsAMessageAndCtrlDSendsIt) {
  Terminal terminal;
  Program program(Chat({"-n", "6"}), "", SIZE_MAX, terminal.AsStdinAndStderr());
  ASSERT_TRUE(terminal.WaitFor("> "));
  terminal.Type("\"\"\"a\r");
  ASSERT_TRUE(terminal.WaitFor("... "));
  terminal.Type("b\x03");
  ASSERT_TRUE(terminal.WaitFor("The lines of this message are dropped. Ctrl-C once more"));
  ASSERT_TRUE(terminal.WaitFor("> "));
  terminal.Type("\"\"\"c\r");
  ASSERT_TRUE(terminal.WaitFor("... "));
  terminal.Type("d\r\x04");
  ASSERT_TRUE(terminal.WaitFor("> "));
  terminal.Type("e\x03");
  ASSERT_TRUE(terminal.WaitFor("\nCtrl-C once more"));
  ASSERT_TRUE(terminal.WaitFor("> "));
  terminal.Type("f\r\x04");
  EXPECT_EQ(program.Wait().out, RunProgram(Chat({"-n", "6"}), "\"\"\"c\nd\"\"\"\nf\n").out);
}

TEST_F(ChatTerminalTest, TheHistoryIsKept) {
  const std::string history = dir_.Path("bitfetch/history");
  Typed("a\rb\r" + Paste("c\rd") + "\r");
  struct stat status;
  ASSERT_EQ(stat(history.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  ExpectAsPiped(kUp + kUp + kUp + "\r", "a\n");
  ExpectAsPiped(kUp + kUp + "\r", "\"\"\"c\nd\"\"\"\n");

  std::filesystem::remove(history);
  std::filesystem::create_directory(history);
  EXPECT_THAT(Typed("a\rb\r").err, HasSubstr("warning: the history is not kept: " + history));
}

TEST_F(ChatTerminalTest, TheHistoryHoldsUtf8AndDoesNotGrowForEver) {
  Typed("h\u00e9 \\ \u4e2d\r");
  ExpectAsPiped(kUp + "\r", "h\u00e9 \\ \u4e2d\n");

  const std::string history = dir_.Path("bitfetch/history");
  {
    std::ofstream file(history);
    file << "_HiStOrY_V2_\n";
    for (int i = 0; i < 1500; ++i) file << "text" << i << '\n';
  }
  Typed("");
  std::ifstream file(history);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  ASSERT_EQ(lines.size(), 1001u);
  EXPECT_EQ(lines[1], "text500");
  EXPECT_EQ(lines.back(), "text1499");
}

TEST_F(ChatTerminalTest, CtrlCStopsAnAnswerAndTwiceEnds) {
  Terminal terminal;
  Program program(Chat({"-c", "2000"}), "", SIZE_MAX, terminal.AsStdinAndStderr());
  ASSERT_TRUE(terminal.WaitFor("> "));
  terminal.Type("Who is he?\r");
  program.WaitForOut(5);
  terminal.Type("\x03");
  ASSERT_TRUE(terminal.WaitFor("> "));
  terminal.Type("dropped\x03");
  ASSERT_TRUE(terminal.WaitFor("Ctrl-C once more ends the chat."));
  ASSERT_TRUE(terminal.WaitFor("> "));
  terminal.Type("\x03");
  EXPECT_EQ(program.Wait().code, 130);
}

// Long texts too: the terminal by itself would cut them.
TEST_F(ChatTerminalTest, WhatIsTypedDuringAnAnswerIsNotLost) {
  const std::string text = std::string(6'000, '/');
  Terminal terminal;
  Program program(Chat({"-c", "2000", "-n", "100"}), "", SIZE_MAX, terminal.AsStdinAndStderr());
  ASSERT_TRUE(terminal.WaitFor("> "));
  terminal.Type("a\r");
  program.WaitForOut(1);
  terminal.Type(text + "\r/exit \r");
  EXPECT_EQ(program.Wait().code, 0);
  EXPECT_THAT(terminal.Shown(), HasSubstr(text + " is not known"));
}

TEST_F(ChatTerminalTest, TheTerminalIsAsBeforeWhateverEndsIt) {
  struct End {
    std::string keys;
    int signal;
    int code;
  };
  for (const End& end :
       {End{"/exit \r", 0, 0}, End{" \t/exit\r", 0, 0}, End{"\x04", 0, 0}, End{"", SIGTERM, 143},
        End{"", SIGHUP, 129}, End{"", SIGQUIT, -SIGQUIT}, End{"", SIGUSR1, -SIGUSR1},
        End{"", SIGALRM, -SIGALRM}, End{"a\x03\x03", 0, 130}}) {
    Terminal terminal;
    const termios before = terminal.Mode();
    Program program(Chat(), "", SIZE_MAX, terminal.AsStdinAndStderr());
    ASSERT_TRUE(terminal.WaitFor("> "));
    EXPECT_EQ(terminal.Mode().c_lflag & (ICANON | ECHO), 0u);
    bool interrupted = false;
    for (const char key : end.keys) {
      terminal.Type({&key, 1});
      if (key == '\x03' && !std::exchange(interrupted, true)) terminal.WaitFor("once more");
    }
    if (end.signal != 0) program.Signal(end.signal);
    EXPECT_EQ(program.Wait().code, end.code);
    const termios after = terminal.Mode();
    EXPECT_EQ(after.c_lflag, before.c_lflag) << end.code;
    EXPECT_EQ(after.c_iflag, before.c_iflag) << end.code;
    EXPECT_EQ(after.c_oflag, before.c_oflag) << end.code;
    const std::string shown = terminal.Shown();
    EXPECT_THAT(shown, HasSubstr("\x1b[?2004h"));
    EXPECT_THAT(shown.substr(shown.rfind("\x1b[?2004")), HasSubstr("\x1b[?2004l")) << end.code;
  }
}

TEST_F(ChatTerminalTest, ATerminalThatKnowsNoMarksGetsNone) {
  for (const char* kind : {"dumb", "nonsense", ""}) {
    setenv("TERM", kind, 1);
    const Finished typed = Typed("Who is he?\r");
    EXPECT_THAT(typed.err, Not(HasSubstr("\x1b"))) << kind;
    EXPECT_THAT(typed.err, Not(HasSubstr("terminal"))) << kind;
    EXPECT_EQ(typed.out, Piped("Who is he?\n").out);
  }
}

}  // namespace
}  // namespace bitfetch
