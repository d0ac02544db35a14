// SPDX-License-Identifier: Apache-2.0
#include "text/byte_pairs.h"

#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <random>
#include <vector>

namespace bitfetch {
namespace {

// As the definition says it: the earliest merge that fits anywhere, at its leftmost place, again
// and again.
std::vector<int> MergeNaively(const std::vector<std::array<int, 3>>& merges,
                              std::vector<int> tokens) {
  for (bool merged = true; merged;) {
    merged = false;
    for (const auto& [left, right, both] : merges) {
      for (size_t i = 0; i + 1 < tokens.size() && !merged; ++i) {
        if (tokens[i] != left || tokens[i + 1] != right) continue;
        tokens[i] = both;
        tokens.erase(tokens.begin() + static_cast<ptrdiff_t>(i) + 1);
        merged = true;
      }
      if (merged) break;
    }
  }
  return tokens;
}

TEST(BytePairs, SameAsTheDefinition) {
  std::mt19937 random(3);
  for (int round = 0; round < 400; ++round) {
    // Few letters and many merges of merges, so that merges compete.
    const int letters = 1 + static_cast<int>(random() % 3);
    std::vector<std::array<int, 3>> list;
    BytePairMerges merges;
    int tokens = letters;
    for (uint32_t n = random() % 12; n > 0; --n) {
      const int left = static_cast<int>(random() % tokens);
      const int right = static_cast<int>(random() % tokens);
      list.push_back({left, right, tokens});
      merges.Add(left, right, tokens++);
    }
    std::vector<int> sequence(random() % 40);
    for (int& token : sequence) token = static_cast<int>(random() % letters);
    const std::vector<int> expected = MergeNaively(list, sequence);
    merges.Apply(&sequence);
    ASSERT_EQ(sequence, expected);
  }
}

TEST(BytePairs, TheLeftmostOfEqualsGoesFirst) {
  BytePairMerges merges;
  merges.Add(0, 0, 1);
  std::vector<int> tokens = {0, 0, 0};
  merges.Apply(&tokens);
  EXPECT_EQ(tokens, (std::vector<int>{1, 0}));
}

TEST(BytePairs, AMillionOfOneToken) {
  BytePairMerges merges;
  for (int i = 0; i < 20; ++i) merges.Add(i, i, i + 1);
  std::vector<int> tokens(1 << 20, 0);
  merges.Apply(&tokens);
  EXPECT_EQ(tokens, std::vector<int>{20});
}

}  // namespace
}  // namespace bitfetch
