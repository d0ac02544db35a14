// SPDX-License-Identifier: Apache-2.0
#include "text/byte_alphabet.h"

#include <gtest/gtest.h>

#include "text/test_vocabulary.h"

namespace bitfetch {
namespace {

TEST(ByteAlphabet, WritesEveryByteAndReadsItBack) {
  std::string bytes, text;
  for (int byte = 0; byte < 256; ++byte) {
    bytes.push_back(static_cast<char>(byte));
    text += AlphabetCharacter(byte);
  }
  EXPECT_EQ(ToByteAlphabet(bytes), text);
  EXPECT_EQ(FromByteAlphabet(text), bytes);
  EXPECT_EQ(ToByteAlphabet(" w"), "Ġw");
}

TEST(ByteAlphabet, HasNoOtherCharacters) {
  for (const std::string_view text :
       {" ", "a\n", "\u00ad", "\u0144", "漢", "\xc4", "\xc4z", "\xa1"}) {
    EXPECT_FALSE(FromByteAlphabet(text)) << text;
  }
}

}  // namespace
}  // namespace bitfetch
