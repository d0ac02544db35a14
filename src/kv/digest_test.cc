// SPDX-License-Identifier: Apache-2.0
#include "kv/digest.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>

namespace bitfetch {
namespace {

std::string Hex(const Digest& digest) {
  std::string hex;
  for (const uint8_t byte : digest) hex += fmt::format("{:02x}", byte);
  return hex;
}

// Python: hashlib.blake2b(b"abc", digest_size=32).
TEST(Digester, IsBlake2bHoweverItsBytesAreAdded) {
  const std::string expected = "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319";
  Digester whole;
  whole.Add("abc");
  EXPECT_EQ(Hex(whole.Finish()), expected);
  Digester pieces;
  pieces.Add("a");
  pieces.Add("");
  pieces.Add("bc");
  EXPECT_EQ(Hex(pieces.Finish()), expected);
}

TEST(Digester, TakesTheLowestByteOfANumberFirst) {
  Digester number, bytes;
  number.Add(uint32_t{0x64636261});
  bytes.Add("abcd");
  EXPECT_EQ(number.Finish(), bytes.Finish());
}

}  // namespace
}  // namespace bitfetch
