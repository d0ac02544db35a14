// SPDX-License-Identifier: Apache-2.0
#include "engine/drafter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>
#include <random>
#include <vector>

namespace bitfetch {
namespace {

// A row more costs so much of a pass of one.
PassCost CostOf(double row) {
  PassCost cost;
  for (int i = 0; i < 100; ++i) {
    cost.Measured(1, 1e6);
    cost.Measured(5, (1 + 4 * row) * 1e6);
  }
  return cost;
}

std::vector<int> Periodic(int period, int count) {
  std::vector<int> text;
  for (int i = 0; i < count; ++i) text.push_back(i % period);
  return text;
}

TEST(DraftTest, IsReadAsItIsWritten) {
  for (const char* text : {"auto", "off", "1", "16", "63"}) {
    EXPECT_EQ(DraftText(ParseDraft(text).value()), text);
  }
  for (const char* text : {"", "0", "64", "-1", "01", "1 ", "on", "99999999999"}) {
    const auto draft = ParseDraft(text);
    ASSERT_FALSE(draft) << text;
    EXPECT_THAT(
        draft.error().message,
        testing::HasSubstr("is no draft setting: wanted auto, off, or from 1 to 63 tokens"));
  }
}

TEST(PassCostTest, IsWhatWasMeasuredAndNoHiccup) {
  EXPECT_EQ(PassCost().row(), 0.5);
  PassCost cost = CostOf(0.3);
  EXPECT_NEAR(cost.row(), 0.3, 0.02);
  cost.Measured(5, 100e6);
  EXPECT_LT(cost.row(), 0.4);
  cost = CostOf(0.3);
  cost.Measured(1, 100e6);
  EXPECT_NEAR(cost.row(), 0.3, 0.02);
  EXPECT_GT(CostOf(-1).row(), 0) << "a clock that ran backwards";
}

// Pages are read for the first time.
TEST(PassCostTest, AFirstPassThatIsSlowIsForgotten) {
  PassCost cost;
  cost.Measured(1, 100e6);
  for (int i = 0; i < 20; ++i) cost.Measured(2, 1.4e6);
  EXPECT_LE(cost.row(), 0.5);
  for (int i = 0; i < 12; ++i) {
    cost.Measured(1, 1e6);
    cost.Measured(2, 1.4e6);
  }
  EXPECT_NEAR(cost.row(), 0.4, 0.03);
}

TEST(PassCostTest, WhatIsNotMeasuredAnyMoreIsForgotten) {
  PassCost cost = CostOf(3);
  EXPECT_GT(cost.row(), 2);
  for (int i = 0; i < 400; ++i) cost.Measured(1, 1e6);
  EXPECT_NEAR(cost.row(), 0.5, 0.02);
}

TEST(DrafterTest, GuessesWhatRepeats) {
  Drafter drafter(kDraftAuto);
  drafter.Append(Periodic(5, 200));
  EXPECT_EQ(drafter.Guess(4, CostOf(0.3)), (std::vector<int>{0, 1, 2, 3}));
  EXPECT_EQ(drafter.Guess(0, CostOf(0.3)), std::vector<int>());
  EXPECT_EQ(drafter.Guess(-1, CostOf(0.3)), std::vector<int>());
  EXPECT_EQ(drafter.Guess(100, CostOf(0.3)).size(), 15u);
}

TEST(DrafterTest, GuessesAsManyAsPay) {
  Drafter drafter(kDraftAuto);
  std::vector<int> text = Periodic(100, 108);
  drafter.Append(text);  // a match of 8 tokens, of which nothing is known
  size_t fewer = 100;
  for (const double row : {0.03, 0.2, 0.4, 0.6}) {
    const size_t count = drafter.Guess(100, CostOf(row)).size();
    EXPECT_LT(count, fewer) << row;
    EXPECT_GT(count, 0u) << row;
    fewer = count;
  }
  EXPECT_EQ(drafter.Guess(100, CostOf(0.9)).size(), 0u);
  // Where others fill the pass, a row has to be surer to stand.
  EXPECT_GT(drafter.Guess(100, CostOf(0.4), 1).size(), drafter.Guess(100, CostOf(0.4), 4).size());
  EXPECT_EQ(drafter.Guess(100, CostOf(0.4), 32).size(), 0u);
}

TEST(DrafterTest, LearnsThatATextDoesNotGoOnAsItDid) {
  std::mt19937 random(1);
  Drafter drafter(kDraftAuto);
  const PassCost cost = CostOf(0.3);
  int64_t guessed = 0, tokens = 0;
  for (; tokens < 3000; ++tokens) {
    const int token = static_cast<int>(random() % 10);  // matches of 3 or 4 tokens
    drafter.Append({&token, 1});
    guessed += std::ssize(drafter.Guess(100, cost));
  }
  EXPECT_LT(guessed, tokens / 50);
}

std::vector<int> Numbers(int first, int count) {
  std::vector<int> numbers(count);
  std::iota(numbers.begin(), numbers.end(), first);
  return numbers;
}

TEST(DrafterTest, GuessesWhatPastTextsSaidWhereItsOwnSaysLess) {
  PastTexts past;
  past.Add({}, Numbers(0, 30));
  Drafter drafter(kDraftAuto, PastTexts::Trail(past, {}));
  drafter.Append(Numbers(3, 3));
  EXPECT_EQ(drafter.Guess(3, CostOf(0.2)), std::vector<int>()) << "too short to be compared";
  drafter.Append(Numbers(6, 12));
  EXPECT_EQ(drafter.Guess(3, CostOf(0.2)), Numbers(18, 3));
  Drafter many(20, PastTexts::Trail(past, {}));
  many.Append(Numbers(3, 15));
  EXPECT_EQ(many.Guess(100, CostOf(0.2)), Numbers(18, 12)) << "up to that text's end";
  Drafter off(kDraftOff, PastTexts::Trail(past, {}));
  off.Append(Numbers(3, 9));
  EXPECT_EQ(off.Guess(3, CostOf(0.2)), std::vector<int>());
}

TEST(DrafterTest, LearnsThatATextDoesNotGoOnAsPastOnesDid) {
  std::mt19937 random(1);
  PastTexts past;
  std::vector<int> text(30000);
  for (int& token : text) token = static_cast<int>(random() % 10);
  past.Add({}, text);
  text.resize(3000);
  Drafter drafter(kDraftAuto, PastTexts::Trail(past, {}));
  const PassCost cost = CostOf(0.3);
  int64_t guessed = 0;
  for (int& token : text) {
    token = static_cast<int>(random() % 10);
    drafter.Append({&token, 1});
    guessed += std::ssize(drafter.Guess(100, cost));
  }
  EXPECT_LT(guessed, std::ssize(text) / 50);
}

TEST(DrafterTest, GuessesSoManyWhereItIsTold) {
  Drafter drafter(7);
  const PassCost dear = CostOf(3);
  drafter.Append(std::vector<int>{1, 2, 3});
  EXPECT_EQ(drafter.Guess(100, dear).size(), 0u) << "nothing repeats";
  drafter.Append(std::vector<int>{1});
  EXPECT_EQ(drafter.Guess(100, dear), (std::vector<int>{2, 3, 1, 2, 3, 1, 2}));
  EXPECT_EQ(drafter.Guess(3, dear).size(), 3u);
  Drafter off(kDraftOff);
  off.Append(Periodic(5, 200));
  EXPECT_EQ(off.Guess(100, CostOf(0.1)).size(), 0u);
}

}  // namespace
}  // namespace bitfetch
