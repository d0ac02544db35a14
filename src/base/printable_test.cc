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

TEST(OneLine, EscapesControlsThatAreUtf8OrSingleBytes) {
  EXPECT_EQ(OneLine("\xc2\x9b"
                    "2J\xc2\xa0"),
            "\\xc2\\x9b2J\xc2\xa0");
  EXPECT_EQ(OneLine("\x9b"
                    "2J\xff"),
            "\\x9b2J\xff");
  // The same bytes as parts of characters.
  for (const std::string_view text : {"\xe4\xbd\x9b", "\xf0\x9f\x9b\x9b", "\xc3\x9b"}) {
    EXPECT_EQ(OneLine(text), text);
  }
  EXPECT_EQ(OneLine("\xe4\x9b"), "\xe4\\x9b") << "cut off";
}

TEST(WithoutControls, KeepsTheShapeOfText) {
  EXPECT_EQ(WithoutControls("a\n\tb\r\nc"), "a\n\tb\r\nc");
  EXPECT_EQ(WithoutControls("a\rb\r"), "a\\x0db\\x0d");
  EXPECT_EQ(WithoutControls(std::string_view("\x1b]0;x\x07\0\x7f\xc2\x85", 10)),
            R"(\x1b]0;x\x07\x00\x7f\xc2\x85)");
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
