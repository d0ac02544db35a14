// SPDX-License-Identifier: Apache-2.0
#include "text/thinking.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace bitfetch {
namespace {

// Thinking in brackets, whatever the size of the pieces.
std::string Told(std::string_view answer, bool begins_inside = false) {
  std::string first;
  for (size_t step = 1; step <= answer.size() + 1; ++step) {
    ThinkingStream stream(begins_inside);
    std::string thought, said;
    const auto take = [&](const std::vector<ThinkingStream::Part>& parts) {
      for (const auto& part : parts) {
        EXPECT_FALSE(part.text.empty());
        EXPECT_TRUE(said.empty() || !part.is_thinking);
        (part.is_thinking ? thought : said) += part.text;
      }
    };
    for (size_t at = 0; at < answer.size(); at += step) take(stream.Feed(answer.substr(at, step)));
    take(stream.Finish());
    EXPECT_EQ(thought + said, answer);
    const std::string told = fmt::format("[{}]{}", thought, said);
    if (step == 1) first = told;
    EXPECT_EQ(told, first);
  }
  return first;
}

TEST(Thinking, IsToldFromTheAnswer) {
  EXPECT_EQ(Told("<think>\nwhy\n</think>\n\nbecause"), "[<think>\nwhy\n</think>\n\n]because");
  EXPECT_EQ(Told("\n <think></think>so <think>x</think>"),
            "[\n <think></think>]so <think>x</think>");
  EXPECT_EQ(Told("so <think>x</think>"), "[]so <think>x</think>");
  EXPECT_EQ(Told("<thin"), "[]<thin");
  EXPECT_EQ(Told("<thing>"), "[]<thing>");
  EXPECT_EQ(Told(" \n"), "[] \n");
  EXPECT_EQ(Told("<think>on and </thin"), "[<think>on and </thin]");
  EXPECT_EQ(Told("<think></thi</think>x"), "[<think></thi</think>]x");
}

TEST(Thinking, MayBeginInThePrompt) {
  EXPECT_TRUE(EndsInThinking("<|im_start|>assistant\n<think>\n"));
  EXPECT_FALSE(EndsInThinking("<think>\n\n</think>\n\n"));
  EXPECT_FALSE(EndsInThinking(""));
  EXPECT_EQ(Told("why\n</think>\n\nso", /*begins_inside=*/true), "[why\n</think>\n\n]so");
  EXPECT_EQ(Told("<think>x</think>y", /*begins_inside=*/true), "[<think>x</think>]y");
}

}  // namespace
}  // namespace bitfetch
