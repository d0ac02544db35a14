// SPDX-License-Identifier: Apache-2.0
#include "base/error.h"

#include <gtest/gtest.h>

namespace bitfetch {
namespace {

TEST(Error, IsOneLineWhateverItQuotes) {
  const auto refuse = [](std::string_view name) -> Status { return Fail("no '{}' here", name); };
  EXPECT_EQ(refuse("a\r\nb\x7f").error().message, "no 'a\\x0d\\x0ab\\x7f' here");
  EXPECT_EQ(Error("caf\u00e9 \u009b2J").message, "caf\u00e9 \\xc2\\x9b2J");
}

TEST(Error, IsTheSameHandedOn) {
  const Error inner("line\n");
  EXPECT_EQ(Error(inner.message).message, inner.message);
}

}  // namespace
}  // namespace bitfetch
