// SPDX-License-Identifier: Apache-2.0
#include "text/thinking.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace bitfetch {
namespace {

// Thoughts in brackets and marks in braces, whatever the size of the pieces.
std::string Told(std::string_view answer, bool begins_inside = false) {
  std::string first;
  for (size_t step = 1; step <= answer.size() + 1; ++step) {
    ThinkingStream stream(begins_inside);
    std::string all, told;
    ThinkingStream::Kind last = ThinkingStream::kSaid;
    const auto bracket = [&](std::string_view said_mark_thought) {
      told += said_mark_thought[last == ThinkingStream::kSaid   ? 0
                                : last == ThinkingStream::kMark ? 1
                                                                : 2];
    };
    const auto take = [&](const std::vector<ThinkingStream::Part>& parts) {
      for (const auto& part : parts) {
        EXPECT_FALSE(part.text.empty());
        if (part.kind != last) {
          bracket("|}]");
          last = part.kind;
          bracket("|{[");
        }
        told += part.text;
        all += part.text;
      }
    };
    for (size_t at = 0; at < answer.size(); at += step) take(stream.Feed(answer.substr(at, step)));
    take(stream.Finish());
    EXPECT_EQ(all, answer);
    bracket("|}]");
    std::erase(told, '|');
    if (step == 1) first = told;
    EXPECT_EQ(told, first);
  }
  return first;
}

TEST(Thinking, IsToldFromTheAnswer) {
  EXPECT_EQ(Told("<think>\nwhy \n so\n</think>\n\nbecause"),
            "{<think>\n}[why \n so]{\n</think>\n\n}because");
  EXPECT_EQ(Told("\n <think></think>so <think>x</think>"),
            "{\n <think></think>}so <think>x</think>");
  EXPECT_EQ(Told("<think>\n\n</think>so"), "{<think>\n\n</think>}so");
  EXPECT_EQ(Told("so <think>x</think>"), "so <think>x</think>");
  EXPECT_EQ(Told("<thin"), "<thin");
  EXPECT_EQ(Told("<thing>"), "<thing>");
  EXPECT_EQ(Told(" \n"), " \n");
  EXPECT_EQ(Told("<think>on and\n</thin"), "{<think>}[on and\n</thin]");
  EXPECT_EQ(Told("<think>on and \n"), "{<think>}[on and]{ \n}");
  EXPECT_EQ(Told("<think></thi</think>x"), "{<think>}[</thi]{</think>}x");
}

TEST(Thinking, MayBeginInThePrompt) {
  EXPECT_TRUE(EndsInThinking("<|im_start|>assistant\n<think>\n"));
  EXPECT_FALSE(EndsInThinking("<think>\n\n</think>\n\n"));
  EXPECT_FALSE(EndsInThinking(""));
  EXPECT_TRUE(EndsBehindThinking("<think>\n\n</think>\n\n"));
  EXPECT_FALSE(EndsBehindThinking("<think>\n"));
  EXPECT_FALSE(EndsBehindThinking(""));
  EXPECT_EQ(Told("why\n</think>\n\nso", /*begins_inside=*/true), "[why]{\n</think>\n\n}so");
  EXPECT_EQ(Told("<think>x</think>y", /*begins_inside=*/true), "[<think>x]{</think>}y");
}

}  // namespace
}  // namespace bitfetch
