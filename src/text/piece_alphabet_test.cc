// SPDX-License-Identifier: Apache-2.0
#include "text/piece_alphabet.h"

#include <gtest/gtest.h>

namespace bitfetch {
namespace {

TEST(PieceAlphabet, Spaces) {
  EXPECT_EQ(ToPieceSpaces("  a b "), "▁▁a▁b▁");
  EXPECT_EQ(ToPieceSpaces("a\tb"), "a\tb");
  EXPECT_EQ(FromPieceSpaces("▁▁a▁b▁"), "  a b ");
  EXPECT_EQ(FromPieceSpaces("\xe2\x96"), "\xe2\x96");
  EXPECT_EQ(ToPieceSpaces(""), "");
}

TEST(PieceAlphabet, Bytes) {
  EXPECT_EQ(ByteOfPiece("<0x00>"), '\0');
  EXPECT_EQ(ByteOfPiece("<0x41>"), 'A');
  EXPECT_EQ(ByteOfPiece("<0xFF>"), '\xff');
  for (const char* other :
       {"", "<0x4>", "<0x041>", "<0x-1>", "<0xG1>", "<0x4G>", "x0x41>", "<0x41"}) {
    EXPECT_EQ(ByteOfPiece(other), std::nullopt) << other;
  }
}

}  // namespace
}  // namespace bitfetch
