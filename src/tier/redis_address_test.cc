// SPDX-License-Identifier: Apache-2.0
#include "tier/redis_address.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace bitfetch {
namespace {

using testing::HasSubstr;

TEST(RedisAddress, HasDefaultsForAllButTheHost) {
  const RedisAddress address = ParseRedisAddresses("redis://kv.example").value().front();
  EXPECT_EQ(address.host, "kv.example");
  EXPECT_EQ(address.port, 6379);
  EXPECT_EQ(address.user, "");
  EXPECT_EQ(address.password, "");
  EXPECT_EQ(address.db, 0);
  EXPECT_EQ(address.ttl_seconds, 604800);
  EXPECT_EQ(address.Name(), "redis://kv.example:6379/0");
}

TEST(RedisAddress, ReadsAllParts) {
  const RedisAddress address =
      ParseRedisAddresses("redis://me:a%40b%3Ac/d@[::1]:7000/3?ttl=60").value().front();
  EXPECT_EQ(address.host, "::1");
  EXPECT_EQ(address.port, 7000);
  EXPECT_EQ(address.user, "me");
  EXPECT_EQ(address.password, "a@b:c/d");
  EXPECT_EQ(address.db, 3);
  EXPECT_EQ(address.ttl_seconds, 60);
  EXPECT_EQ(address.Name(), "redis://[::1]:7000/3");
  EXPECT_EQ(ParseRedisAddresses("redis://:secret@h/").value().front().user, "");
  EXPECT_EQ(ParseRedisAddresses("redis://:secret@h/").value().front().password, "secret");
}

TEST(RedisAddress, SeveralHaveCommasBetween) {
  const auto addresses = ParseRedisAddresses("redis://a:1,redis://a:2,redis://b/1").value();
  ASSERT_EQ(addresses.size(), 3u);
  EXPECT_EQ(addresses[1].Name(), "redis://a:2/0");
  EXPECT_EQ(addresses[2].Name(), "redis://b:6379/1");
}

TEST(RedisAddress, WhatIsWrongIsSaidWithoutAPassword) {
  const auto error = [](const char* text) {
    const auto parsed = ParseRedisAddresses(text);
    return parsed ? "none" : parsed.error().message;
  };
  EXPECT_THAT(error("rediss://h"), HasSubstr("TLS"));
  EXPECT_THAT(error(""), HasSubstr("redis://"));
  EXPECT_THAT(error("http://h"), HasSubstr("redis://"));
  EXPECT_THAT(error("redis://"), HasSubstr("host"));
  EXPECT_THAT(error("redis://[::1"), HasSubstr("]"));
  EXPECT_THAT(error("redis://[::1]x"), HasSubstr("port"));
  for (const char* port : {"redis://h:", "redis://h:0", "redis://h:65536", "redis://h:1x"}) {
    EXPECT_THAT(error(port), HasSubstr("port")) << port;
  }
  EXPECT_THAT(error("redis://h/x"), HasSubstr("database"));
  EXPECT_THAT(error("redis://h/-1"), HasSubstr("database"));
  EXPECT_THAT(error("redis://h?ttl=0"), HasSubstr("ttl"));
  EXPECT_THAT(error("redis://h?tls=1"), HasSubstr("ttl"));
  EXPECT_THAT(error("redis://h,redis://h:6379/0"), HasSubstr("twice"));
  EXPECT_THAT(error("redis://a,"), HasSubstr("redis://"));
  for (const char* text : {"redis://secret@h", "redis://u:sec%ret@h", "redis://u:secret@h:x",
                           "redis://u:secret@", "redis://u:secret@h/x"}) {
    EXPECT_THAT(error(text), testing::Not(HasSubstr("sec"))) << text;
    EXPECT_NE(error(text), "none") << text;
  }
}

}  // namespace
}  // namespace bitfetch
