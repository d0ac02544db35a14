// SPDX-License-Identifier: Apache-2.0
#include "serve/dialect/answer_stream.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace bitfetch {
namespace {

// Thoughts in brackets, calls as name(arguments), whatever the size of the pieces.
std::string Told(std::string_view answer, bool calls_tools = true, bool begins_thinking = false) {
  std::string first;
  for (size_t step = 1; step <= answer.size() + 1; ++step) {
    AnswerStream stream(begins_thinking, calls_tools);
    std::string told;
    const auto take = [&](const std::vector<AnswerPart>& parts) {
      for (const auto& [kind, text, name] : parts) {
        EXPECT_FALSE(text.empty());
        if (kind == AnswerPart::kThought) {
          if (told.ends_with(']')) told.pop_back();
          told += (told.empty() ? "[" : "") + text + ']';
        } else {
          told += kind == AnswerPart::kText ? text : fmt::format("{}({})", name, text);
        }
      }
    };
    for (size_t at = 0; at < answer.size(); at += step) take(stream.Feed(answer.substr(at, step)));
    take(stream.Finish());
    if (step == 1) first = told;
    EXPECT_EQ(told, first) << step;
  }
  return first;
}

TEST(AnswerStream, TellsThoughtsWithoutTheirMarks) {
  EXPECT_EQ(Told("<think>\nhm, so\n</think>\n\nyes <think>"), "[hm, so]yes <think>");
  EXPECT_EQ(Told("hm</think>yes", true, true), "[hm]yes");
  EXPECT_EQ(Told("<think>\n\n</think>\n\nyes"), "yes");
}

TEST(AnswerStream, TellsCallsOfTools) {
  const std::string call = R"(<tool_call>
{"name": "f", "arguments": {"z": [1, 2.5, "é"], "a": null}}
</tool_call>)";
  const std::string told = R"(f({"z": [1, 2.5, "é"], "a": null}))";
  EXPECT_EQ(Told(call), told);
  EXPECT_EQ(Told("Let me see. \n\n" + call + "\n" + call + " \n"), "Let me see." + told + told);
  EXPECT_EQ(Told(call + "\nDone. "), told + "Done. ");
  EXPECT_EQ(Told("<think>x</think>\n" + call), "[x]" + told);
  EXPECT_EQ(Told(call.substr(0, call.size() - 13)), told) << "the end of the answer ends it";
  EXPECT_EQ(Told(R"(<tool_call>{"name": "f"}</tool_call>)"), "f({})");
  EXPECT_EQ(Told(R"(<tool_call>{"name": "f", "arguments": "{\"a\":1}"}</tool_call>)"),
            "f({\"a\": 1})");
  EXPECT_EQ(Told(call, /*calls_tools=*/false), call);
}

TEST(AnswerStream, WhatIsNoCallIsText) {
  for (const char* text : {"a <tool_cal", "<tool_call>not JSON</tool_call> b",
                           "<tool_call>{\"name\": 1}</tool_call>", "<tool_call>{}</tool_call>",
                           "<tool_call>{\"name\": \"f\", \"arguments\": \"x\"}</tool_call>",
                           "<tool_call>{\"name\": \"f\"", "<tool_call>[]</tool_c", " \n",
                           "</tool_call>", "<tool_call></tool_call>"}) {
    EXPECT_EQ(Told(text), text);
  }
  EXPECT_EQ(Told("<tool_call>" + std::string(200, '[') + "</tool_call>"),
            "<tool_call>" + std::string(200, '[') + "</tool_call>");
}

}  // namespace
}  // namespace bitfetch
