// SPDX-License-Identifier: Apache-2.0
#include "base/url.h"

#include <gtest/gtest.h>

namespace bitfetch {
namespace {

TEST(Url, PercentsStandForBytes) {
  EXPECT_EQ(DecodePercents(""), "");
  EXPECT_EQ(DecodePercents("a+b"), "a+b");
  EXPECT_EQ(DecodePercents("%41%c3%A9%00%25"), std::string("A\xc3\xa9\0%", 5));
  for (const char* wrong : {"%", "a%4", "%4g", "%-1", "%+1", "% 1", "%%41"}) {
    EXPECT_EQ(DecodePercents(wrong), std::nullopt) << wrong;
  }
}

TEST(Url, HostAndPortHaveBracketsWhereTheyMust) {
  EXPECT_EQ(HostAndPort("localhost", 80), "localhost:80");
  EXPECT_EQ(HostAndPort("127.0.0.1", 80), "127.0.0.1:80");
  EXPECT_EQ(HostAndPort("::1", 80), "[::1]:80");
  EXPECT_EQ(HostAndPort("[::1]", 80), "[::1]:80");
}

}  // namespace
}  // namespace bitfetch
