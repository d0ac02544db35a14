// SPDX-License-Identifier: Apache-2.0
#include "base/printable.h"

#include <gtest/gtest.h>

namespace bitfetch {
namespace {

TEST(Printable, EscapesWhatWouldBreakALine) {
  EXPECT_EQ(Printable("blk.0.attn_q.weight"), "blk.0.attn_q.weight");
  EXPECT_EQ(Printable(std::string_view("a\n\0\x1b[2Jb", 8)), "a\\x0a\\x00\\x1b[2Jb");
  EXPECT_EQ(Printable("\xc3\xa9"), "\\xc3\\xa9");
}

TEST(OneLine, EscapesControlBytesOnly) {
  EXPECT_EQ(OneLine("caf\xc3\xa9\n\x1b[2J\x7f"), "caf\xc3\xa9\\x0a\\x1b[2J\\x7f");
}

TEST(Printable, CutsLongText) {
  EXPECT_EQ(Printable("abcdef", 6), "abcdef");
  EXPECT_EQ(Printable("abcdefg", 6), "abcdef...");
}

TEST(Printable, KnowsPrintableAscii) {
  EXPECT_TRUE(IsPrintableAscii(""));
  EXPECT_TRUE(IsPrintableAscii(" ~"));
  EXPECT_FALSE(IsPrintableAscii("a\x7f"));
  EXPECT_FALSE(IsPrintableAscii("\xc3\xa9"));
  EXPECT_FALSE(IsPrintableAscii(std::string_view("a\0b", 3)));
}

}  // namespace
}  // namespace bitfetch
