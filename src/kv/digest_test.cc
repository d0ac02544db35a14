// SPDX-License-Identifier: Apache-2.0
#include "kv/digest.h"

#include <gtest/gtest.h>

#include <string>

namespace bitfetch {
namespace {

// Python: hashlib.blake2b(b"abc", digest_size=32).
TEST(Digester, IsBlake2bHoweverItsBytesAreAdded) {
  const std::string expected = "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319";
  Digester whole;
  whole.Add("abc");
  EXPECT_EQ(HexOf(whole.Finish()), expected);
  Digester pieces;
  pieces.Add("a");
  pieces.Add("");
  pieces.Add("bc");
  EXPECT_EQ(HexOf(pieces.Finish()), expected);
}

TEST(Digester, TakesTheLowestByteOfANumberFirst) {
  Digester number, bytes;
  number.Add(uint32_t{0x64636261});
  bytes.Add("abcd");
  EXPECT_EQ(number.Finish(), bytes.Finish());
}

}  // namespace
}  // namespace bitfetch
