// SPDX-License-Identifier: Apache-2.0
#include "text/markers.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace bitfetch {
namespace {

int IdAt(const Markers& markers, std::string_view text, size_t at = 0) {
  const Marker* marker = markers.At(text, at);
  return marker ? marker->id : -1;
}

TEST(Markers, TheLongestThatBeginsAtAPlace) {
  const Markers markers({{"abc", 1}, {"a", 2}, {"abd", 3}, {"ab\xff", 4}, {"b", 5}, {"abcde", 6}});
  EXPECT_EQ(IdAt(markers, "abcd"), 1);
  EXPECT_EQ(IdAt(markers, "abcde"), 6);
  EXPECT_EQ(IdAt(markers, "abe"), 2);
  EXPECT_EQ(IdAt(markers, "ab"), 2);
  EXPECT_EQ(IdAt(markers, "ab\xff!"), 4);
  EXPECT_EQ(IdAt(markers, "xabd", 1), 3);
  EXPECT_EQ(IdAt(markers, "abd", 1), 5);
  EXPECT_EQ(IdAt(markers, "abd", 2), -1);
  EXPECT_EQ(IdAt(Markers(), "a"), -1);
}

TEST(Markers, OfEqualOnesTheFirst) {
  EXPECT_EQ(IdAt(Markers({{"b", 1}, {"ab", 9}, {"ab", 2}}), "ab"), 9);
}

TEST(Markers, ManyOfARun) {
  std::vector<Marker> runs;
  for (int length = 1; length <= 3000; ++length) runs.push_back({std::string(length, '<'), length});
  const Markers markers(runs);
  const std::string text(2000, '<');
  EXPECT_EQ(IdAt(markers, text), 2000);
  EXPECT_EQ(IdAt(markers, text, 1999), 1);
}

}  // namespace
}  // namespace bitfetch
