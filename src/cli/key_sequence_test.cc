// SPDX-License-Identifier: Apache-2.0
#include "cli/key_sequence.h"

#include <gtest/gtest.h>

#include <string>

namespace bitfetch {
namespace {

using Kind = KeySequence::Kind;

TEST(KeySequence, CharactersAreNone) {
  for (const char* typed : {"", "a", "[A",
                            "\x1b"
                            "b",
                            "\x1b\x1b"
                            "b",
                            "\xc3\xa9", "\r"}) {
    EXPECT_EQ(NextKeySequence(typed).kind, Kind::kNone) << typed;
  }
}

TEST(KeySequence, EachIsTakenWholeAndNoMore) {
  for (const std::string sequence :
       {"\x1b[A", "\x1bOP", "\x1b[5~", "\x1b[15~", "\x1b[1;2A", "\x1b[3;5~", "\x1b[200~",
        "\x1b[?1;2c", "\x1b[<0;10;20M", "\x1b[[A", "\x1b[3$", "\x1b[3^", "\x1b[3@", "\x1b\x1b[D",
        "\x1bO5P", "\x1b[I", "\x1b[27;5;9~", "\x1b[1 q"}) {
    for (const std::string behind : {"", "x", "~", "[", "\x1b", "\x1b[A"}) {
      const KeySequence found = NextKeySequence(sequence + behind);
      EXPECT_EQ(found.kind, Kind::kWhole) << sequence.substr(1);
      EXPECT_EQ(found.size, sequence.size()) << sequence.substr(1);
    }
    for (size_t size = 1; size < sequence.size(); ++size) {
      EXPECT_EQ(NextKeySequence(sequence.substr(0, size)).kind, Kind::kUnfinished)
          << sequence.substr(1, size);
    }
  }
}

TEST(KeySequence, WhatCannotBelongToItEndsIt) {
  for (const char* behind : {"\r", "\x1b[A", "\xc3\xa9", "\x7f"}) {
    const KeySequence found = NextKeySequence(std::string("\x1b[1;") + behind);
    EXPECT_EQ(found.kind, Kind::kWhole);
    EXPECT_EQ(found.size, 4u);
  }
}

}  // namespace
}  // namespace bitfetch
