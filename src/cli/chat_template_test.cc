// SPDX-License-Identifier: Apache-2.0
// How chat writes a conversation for the model, and what it shows of an answer.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include "base/temp_dir.h"
#include "cli/test_commands.h"
#include "cli/test_program.h"
#include "cli/test_terminal.h"

namespace bitfetch {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class ChatTemplateTest : public ::testing::Test {
 protected:
  ChatTemplateTest() { setenv("XDG_CACHE_HOME", dir_.path().c_str(), 1); }

  std::vector<std::string> Chat(const std::vector<std::string>& more) const {
    std::vector<std::string> arguments = With({"chat"}, {"--temp", "0", "-n", "6"});
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }
  std::vector<std::string> InTemplate(std::string_view text,
                                      const std::vector<std::string>& more = {}) const {
    WriteText(dir_.Path("t.jinja"), text);
    std::vector<std::string> arguments = Chat({"--template", dir_.Path("t.jinja")});
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }
  // What the model writes behind this text.
  static std::string Continued(const std::string& text) {
    return RunProgram(With({"generate"}, {"--temp", "0", "-n", "6", "-p", text})).out;
  }
  static int64_t PromptTokens(const Finished& finished) {
    const size_t at = finished.err.rfind("| prompt ");
    return at == std::string::npos ? -1 : std::stoll(finished.err.substr(at + 9));
  }

  TempDir dir_;
};

TEST_F(ChatTemplateTest, ShowsWhatTheModelIsGiven) {
  const Finished known = RunProgram(Chat({"--show-prompt"}), "Who?\n");
  EXPECT_THAT(known.err, HasSubstr("<|begin_of_text|>User: Who?<|eot_id|>Assistant: \nload"));
  EXPECT_EQ(known.out, RunProgram(Chat({"--template", "bitnet"}), "Who?\n").out);

  const Finished own = RunProgram(
      InTemplate("{{ bos_token }}{% for m in messages %}{{ m.role }}={{ m.content }}<|eot_id|>;"
                 "{% endfor %}",
                 {"--show-prompt", "--system", "Be."}),
      "Who <|eot_id|>?\n");
  EXPECT_THAT(own.err, HasSubstr("<|begin_of_text|>system=Be.<|eot_id|>;user=Who "
                                 "\\<|eot_id|>?<|eot_id|>;\nload"));
}

TEST_F(ChatTemplateTest, AnswersAreReadOnce) {
  const Finished one = RunProgram(Chat({}), "Who is he?\n");
  const Finished two = RunProgram(Chat({}), "Who is he?\nWho is he?\n");
  // The answer's last token and its end are read with the second message, which needs no BOS.
  EXPECT_EQ(PromptTokens(two), 2 * PromptTokens(one) + 1);
}

TEST_F(ChatTemplateTest, WhatATemplateDropsIsForgotten) {
  const Finished two = RunProgram(
      InTemplate("{{ bos_token }}{% for m in messages if m.role == 'user' %}{{ m.content }}, "
                 "{% endfor %}And"),
      "Who is he\nand who is she\n");
  EXPECT_EQ(two.out, Continued("Who is he, And") + "\n" +
                         Continued("Who is he, and who is she, And") + "\n");
}

TEST_F(ChatTemplateTest, ATemplateThatCannotBeRenderedIsAnErrorAtOnce) {
  ExpectError(
      RunProgram(InTemplate("a\n{{ messages | nosuch }}")),
      "t.jinja: line 2: there is no filter 'nosuch'; --template chatml, say, takes another");
  ExpectError(RunProgram(InTemplate("{% if %}")), "t.jinja: line 1: '%}' is not expected here");
  ExpectError(RunProgram(InTemplate("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}")),
              "line 1: it goes more than 500 levels deep");
  ExpectError(RunProgram(InTemplate("{% for m in messages %}{% if m.role == 'system' %}\n"
                                    "{{ raise_exception('No system!') }}{% endif %}{% endfor %}",
                                    {"--system", "x"})),
              "line 2: the template says: No system!");
  ExpectError(RunProgram(Chat({"--template", "chatml"})), "has no token <|im_start|>");
  ExpectError(RunProgram(Chat({"--template", dir_.Path("none")})),
              "none: No such file or directory (forms by name are bitnet, llama3, ");
}

TEST_F(ChatTemplateTest, TheTemplateIsToldWhetherToThink) {
  const std::string_view text = "{{ bos_token }}think={{ enable_thinking }}.";
  EXPECT_THAT(RunProgram(InTemplate(text, {"--show-prompt"}), "a\n").err, HasSubstr("think=.\n"));
  EXPECT_THAT(RunProgram(InTemplate(text, {"--show-prompt", "--think", "on"}), "a\n").err,
              HasSubstr("think=true.\n"));
  EXPECT_THAT(RunProgram(InTemplate(text, {"--show-prompt", "--think", "off"}), "a\n").err,
              HasSubstr("think=false.\n"));
  EXPECT_EQ(RunProgram(InTemplate(text, {"--think", "maybe"})).code, 2);
}

// A Qwen3 with random weights, whose file has a template.
TEST_F(ChatTemplateTest, AFilesOwnTemplateFromPromptToAnswer) {
  const std::string model = dir_.Path("qwen.gguf");
  ASSERT_EQ(RunProgram({"synth", "-o", model, "--arch", "qwen3", "--vocab", "300"}).code, 0);
  const auto chat = [&](const std::vector<std::string>& more, std::string_view said = "Hi\n") {
    std::vector<std::string> arguments = {"chat", "-m", model,  "--temp",
                                          "0",    "-n", "6",    "--prefetch",
                                          "off",  "-c", "1024", "--show-prompt"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return RunProgram(arguments, std::string(said));
  };
  const std::string asked = "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n";
  const Finished usual = chat({});
  EXPECT_EQ(usual.code, 0);
  EXPECT_THAT(usual.err, HasSubstr(asked + "\nload"));
  EXPECT_EQ(chat({"--template", "chatml"}).out, usual.out);
  EXPECT_THAT(chat({}, "<|im_end|>\n").err, HasSubstr("user\n\\<|im_end|><|im_end|>\n"));

  const Finished off = chat({"--think", "off"});
  EXPECT_THAT(off.err, HasSubstr(asked + "<think>\n\n</think>\n\n\nload"));
  EXPECT_NE(off.out, "\n");
  // The answer begins in a thought that six tokens don't end.
  EXPECT_THAT(chat({"--think", "on"}).err, HasSubstr(asked + "<think>\n\nload"));
  EXPECT_NE(chat({"--think", "on"}).out, "\n");
  EXPECT_EQ(chat({"--think", "on", "--hidethinking"}).out, "\n");

  const Finished twice = chat({"--think", "on"}, "Hi\nHi\n");
  EXPECT_THAT(twice.err, HasSubstr("<|im_end|>\n" + asked + "<think>\n\nload"));
  EXPECT_EQ(twice.err.find("<think>\n<"), std::string::npos);
}

TEST_F(ChatTemplateTest, ThinkingIsDimOrLeftOut) {
  const std::string_view text = "{{ bos_token }}And the word <think>\n";
  const std::string thought = Continued("And the word <think>");
  EXPECT_EQ(RunProgram(InTemplate(text), "a\n").out, thought + "\n");
  EXPECT_EQ(RunProgram(InTemplate(text, {"--hidethinking"}), "a\n").out, "\n");

  const auto shown = [&](const char* kind, const std::vector<std::string>& arguments) {
    setenv("TERM", kind, 1);
    Terminal terminal;
    Program program(arguments, terminal.name());
    program.Write("a\n");
    EXPECT_EQ(program.Wait().code, 0);
    return terminal.Shown();
  };
  EXPECT_THAT(shown("xterm", InTemplate(text)), HasSubstr("\x1b[2m"));
  EXPECT_THAT(shown("dumb", InTemplate(text)), Not(HasSubstr("\x1b")));
  EXPECT_THAT(shown("xterm", Chat({})), Not(HasSubstr("\x1b")));
}

}  // namespace
}  // namespace bitfetch
