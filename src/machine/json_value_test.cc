// SPDX-License-Identifier: Apache-2.0
#include "machine/json_value.h"

#include <gtest/gtest.h>

namespace bitfetch {
namespace {

TEST(JsonValue, HoldsEveryKind) {
  const auto document = ParseJson(
      R"({"a": [null, true, -3, 2.5, 18446744073709551615, "x\n"], "b": {"c": []}, "a2": 1, "a2": 2})");
  ASSERT_TRUE(document);
  const auto& object = *document->As<JsonValue::Object>();
  ASSERT_EQ(object.size(), 3u);
  const auto& list = *object.at("a").As<JsonValue::List>();
  ASSERT_EQ(list.size(), 6u);
  EXPECT_TRUE(list[0].As<std::monostate>());
  EXPECT_EQ(*list[1].As<bool>(), true);
  EXPECT_EQ(*list[2].As<int64_t>(), -3);
  EXPECT_EQ(*list[3].As<double>(), 2.5);
  EXPECT_EQ(*list[4].As<double>(), 18446744073709551616.0);
  EXPECT_EQ(*list[5].As<std::string>(), "x\n");
  const auto& inner = *object.at("b").As<JsonValue::Object>();
  EXPECT_TRUE(inner.at("c").As<JsonValue::List>()->empty());
  EXPECT_EQ(*object.at("a2").As<int64_t>(), 2) << "the last one counts";
  EXPECT_EQ(*ParseJson("7")->As<int64_t>(), 7);
}

TEST(JsonValue, WhatIsNoJsonOrTooDeepIsNothing) {
  for (const char* text : {"", "{", "[1,]", "{\"a\" 1}", "1 2", "nul", "\"\xff\""}) {
    EXPECT_FALSE(ParseJson(text)) << text;
  }
  EXPECT_TRUE(ParseJson(std::string(16, '[') + std::string(16, ']')));
  EXPECT_FALSE(ParseJson(std::string(17, '[') + std::string(17, ']')));
  EXPECT_FALSE(ParseJson(std::string(1 << 20, '[')));
}

}  // namespace
}  // namespace bitfetch
