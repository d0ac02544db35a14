// SPDX-License-Identifier: Apache-2.0
#include "engine/past_texts.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace bitfetch {
namespace {

BlockKey Key(int number) { return RootKey({}, {}, std::to_string(number)); }

// The same by looking at every place of every text.
class NaiveTrail {
 public:
  using Texts = std::vector<std::pair<BlockKey, std::vector<int>>>;

  void Advance(const Texts& texts, const BlockKey& key, const std::vector<int>& text) {
    if (!followed_.empty() && Guess(0) == text.back()) {
      ++at_;
      return;
    }
    followed_.clear();
    for (const auto& [of, past] : texts) {
      if (of != key) continue;
      for (size_t at = PastTexts::kMatch; at < past.size(); ++at) {
        if (Same(text, past, at) < PastTexts::kMatch) continue;
        followed_ = past;
        at_ = at;
      }
    }
  }
  int64_t match(const std::vector<int>& text) const {
    return Guess(0) == PastTexts::kNone ? 0 : std::min(Same(text, followed_, at_), int64_t{32});
  }
  int Guess(size_t i) const {
    return at_ + i < followed_.size() ? followed_[at_ + i] : PastTexts::kNone;
  }

 private:
  static int64_t Same(const std::vector<int>& text, const std::vector<int>& past, size_t at) {
    size_t same = 0;
    while (same < std::min(at, text.size()) &&
           text[text.size() - 1 - same] == past[at - 1 - same]) {
      ++same;
    }
    return static_cast<int64_t>(same);
  }

  std::vector<int> followed_;
  size_t at_ = 0;
};

TEST(PastTextsTest, FindsWhatALookAtEveryPlaceFinds) {
  std::mt19937 random(1);
  for (int round = 0; round < 12; ++round) {
    const int alphabet = 2 + round % 2;
    PastTexts texts;
    NaiveTrail::Texts naive_texts;
    int64_t followed = 0, ended = 0;
    for (int i = 0; i < 16; ++i) {
      const BlockKey key = Key(static_cast<int>(random() % 3));
      PastTexts::Trail trail(texts, key);
      NaiveTrail naive;
      std::vector<int> text;
      const size_t length = random() % 60;
      while (text.size() < length) {
        // Now and then as guessed.
        const int guess = trail.Guess(0);
        const bool as_guessed = guess != PastTexts::kNone && random() % 4 > 0;
        text.push_back(as_guessed ? guess : static_cast<int>(random() % alphabet));
        trail.Advance(text);
        naive.Advance(naive_texts, key, text);
        ASSERT_EQ(trail.match(), naive.match(text)) << round << " " << i << " " << text.size();
        for (int g = 0; g < 60; ++g) ASSERT_EQ(trail.Guess(g), naive.Guess(g));
        followed += trail.match() > PastTexts::kMatch ? 1 : 0;
        ended += trail.Guess(0) == PastTexts::kNone ? 1 : 0;
      }
      texts.Add(key, text);
      naive_texts.emplace_back(key, text);
    }
    EXPECT_GT(followed, 0);
    EXPECT_GT(ended, 0);
  }
}

// What a text that has come to its last token finds.
int64_t MatchOf(const PastTexts& texts, const BlockKey& key, const std::vector<int>& text) {
  PastTexts::Trail trail(texts, key);
  trail.Advance(text);
  return trail.match();
}

TEST(PastTextsTest, OtherKeysKnowNothing) {
  PastTexts texts;
  texts.Add(Key(1), std::vector{1, 2, 3, 4, 5});
  EXPECT_EQ(MatchOf(texts, Key(1), {1, 2, 3, 4}), 4);
  EXPECT_EQ(MatchOf(texts, Key(2), {1, 2, 3, 4}), 0);
  // Keys that hash alike.
  BlockKey alike = Key(1);
  ++alike.digest.back();
  EXPECT_EQ(MatchOf(texts, alike, {1, 2, 3, 4}), 0);
}

TEST(PastTextsTest, TheOldestTokensAreForgotten) {
  PastTexts texts;
  const std::vector<int> first = {1, 2, 3, 4, 5, 6};
  texts.Add(Key(1), first);
  PastTexts::Trail trail(texts, Key(1));
  trail.Advance(std::span(first).first(4));
  const std::vector<int> many(PastTexts::kTokens - 5, 7);
  texts.Add(Key(1), std::span(many).first(many.size() - 1));
  EXPECT_EQ(trail.Guess(1), 6) << "nothing is lost yet";
  EXPECT_EQ(MatchOf(texts, Key(1), {1, 2, 3, 4}), 4);
  texts.Add(Key(1), std::span(many).last(1));
  EXPECT_EQ(MatchOf(texts, Key(1), {1, 2, 3, 4}), 0) << "its first token is gone";
  EXPECT_EQ(MatchOf(texts, Key(1), {2, 3, 4, 5}), 4);
  EXPECT_EQ(trail.Guess(1), 6);
  texts.Add(Key(1), std::span(many).first(5));
  EXPECT_EQ(trail.match(), 0);
  EXPECT_EQ(trail.Guess(1), PastTexts::kNone);
  trail.Advance(std::span(first).first(5));
  EXPECT_EQ(trail.match(), 0);
}

TEST(PastTextsTest, OfATextThatIsTooLongTheEndIsKept) {
  PastTexts texts;
  std::vector<int> text(PastTexts::kTokens + 10, 100);
  std::iota(text.begin(), text.begin() + 20, 0);
  texts.Add(Key(1), text);
  EXPECT_EQ(MatchOf(texts, Key(1), {9, 10, 11, 12}), 0);
  EXPECT_EQ(MatchOf(texts, Key(1), {10, 11, 12, 13}), 4);
}

TEST(PastTextsTest, SoManyShortTextsThatKeysAreForgotten) {
  PastTexts texts;
  const std::vector<int> text = {1, 2, 3, 4, 5};
  texts.Add(Key(1), text);
  for (int i = 0; i < 4095; ++i) texts.Add(Key(2), std::vector{7});
  EXPECT_EQ(MatchOf(texts, Key(1), {1, 2, 3, 4}), 4);
  texts.Add(Key(2), std::vector{7});
  EXPECT_EQ(MatchOf(texts, Key(1), {1, 2, 3, 4}), 0);
  EXPECT_EQ(MatchOf(texts, Key(2), {1, 2, 3, 4}), 0);
}

}  // namespace
}  // namespace bitfetch
