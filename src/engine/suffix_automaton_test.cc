// SPDX-License-Identifier: Apache-2.0
#include "engine/suffix_automaton.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>
#include <vector>

namespace bitfetch {
namespace {

// How long the longest end of the text is that ends earlier, too, and where it does: behind its
// last token.
struct Repeated {
  int64_t match = 0;
  std::set<int64_t> ends = {};
};
Repeated FindRepeated(const std::vector<int>& text) {
  Repeated repeated;
  const auto size = static_cast<int64_t>(text.size());
  for (int64_t end = 1; end < size; ++end) {
    int64_t match = 0;
    while (match < end && text[end - 1 - match] == text[size - 1 - match]) ++match;
    if (match > repeated.match) repeated = {match};
    if (match == repeated.match) repeated.ends.insert(end);
  }
  return repeated;
}

// What stands behind a place, which goes on with itself at the end of the text.
std::vector<int> Behind(const std::vector<int>& text, int64_t end, int count) {
  std::vector<int> longer = text;
  for (int i = 0; i < count; ++i) longer.push_back(longer[end + i]);
  return {longer.end() - count, longer.end()};
}

TEST(SuffixAutomatonTest, FindsTheLongestEndThatStandsEarlierAndWhatFollowsIt) {
  constexpr int kGuesses = 7;
  std::mt19937 random(1);
  for (const int alphabet : {1, 2, 3, 10, 100, 100000}) {
    for (int round = 0; round < 20; ++round) {
      SuffixAutomaton automaton;
      std::vector<int> text;
      EXPECT_EQ(automaton.match(), 0);
      while (text.size() < 150) {
        // Now and then a piece that was there.
        const size_t from = text.empty() ? 0 : random() % text.size();
        const size_t count = text.empty() || random() % 8 > 0 ? 1 : random() % 20;
        for (size_t i = 0; i < count; ++i) {
          const int token = static_cast<int>(count == 1 ? random() % alphabet : text[from + i]);
          text.push_back(token);
          automaton.Append(token);
          const Repeated expected = FindRepeated(text);
          ASSERT_EQ(automaton.match(), expected.match) << alphabet << " " << text.size();
          if (expected.match == 0) continue;
          std::vector<int> guessed;
          for (int g = 0; g < kGuesses; ++g) guessed.push_back(automaton.Guess(g));
          EXPECT_TRUE(std::ranges::any_of(
              expected.ends, [&](int64_t end) { return Behind(text, end, kGuesses) == guessed; }))
              << alphabet << " " << text.size();
        }
      }
    }
  }
}

TEST(SuffixAutomatonTest, OfSeveralPlacesItTakesTheOneThatMatchedLast) {
  SuffixAutomaton automaton;
  for (const int token : {7, 1, 0, 7, 2, 0, 7, 3, 0, 7}) automaton.Append(token);
  EXPECT_EQ(automaton.match(), 2);  // 0 7
  EXPECT_EQ(automaton.Guess(0), 3);
}

TEST(SuffixAutomatonTest, WhatRepeatsItselfGoesOn) {
  SuffixAutomaton automaton;
  for (int i = 0; i < 50; ++i) automaton.Append(i % 3);
  EXPECT_EQ(automaton.match(), 47);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(automaton.Guess(i), (50 + i) % 3);
}

}  // namespace
}  // namespace bitfetch
