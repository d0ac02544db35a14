// SPDX-License-Identifier: Apache-2.0
#include "base/json_value.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include "base/file.h"
#include "base/temp_dir.h"

namespace bitfetch {
namespace {

using ::testing::StartsWith;

TEST(JsonValue, HoldsEveryKind) {
  const auto document = ParseJson(
      R"({"a": [null, true, -3, 2.5, 18446744073709551615, "x\n"], "b": {"c": [], "d": null}})");
  ASSERT_TRUE(document);
  const auto& object = *document->As<JsonValue::Object>();
  ASSERT_EQ(object.size(), 2u);
  EXPECT_EQ(object[0].key, "a");
  const auto& list = *object[0].value.As<JsonValue::List>();
  ASSERT_EQ(list.size(), 6u);
  EXPECT_TRUE(list[0].As<std::monostate>());
  EXPECT_EQ(*list[1].As<bool>(), true);
  EXPECT_EQ(*list[2].As<int64_t>(), -3);
  EXPECT_EQ(*list[3].As<double>(), 2.5);
  EXPECT_EQ(*list[4].As<double>(), 18446744073709551616.0);
  EXPECT_EQ(*list[5].As<std::string>(), "x\n");
  EXPECT_TRUE(object[1].value.Find<JsonValue::List>("c")->empty());
  EXPECT_EQ(object[1].value.As<JsonValue::Object>()->size(), 2u);
  EXPECT_EQ(*ParseJson("7")->As<int64_t>(), 7);
}

TEST(JsonValue, FindsMembersOfObjects) {
  const JsonValue document = *ParseJson(R"({"a": 1, "b": {"c": "x"}, "n": null})");
  EXPECT_EQ(*document.Find<int64_t>("a"), 1);
  EXPECT_EQ(*document.Find("b")->Find<std::string>("c"), "x");
  EXPECT_EQ(document.Find<std::string>("a"), nullptr) << "of another kind";
  EXPECT_EQ(document.Find("n"), nullptr);
  EXPECT_EQ(document.Find("z"), nullptr);
  EXPECT_EQ(document.Find("a")->Find("a"), nullptr) << "no object";
}

TEST(JsonValue, SaysWhatIsWrong) {
  const auto error_of = [](const std::string& text) {
    const auto document = ParseJson(text);
    return document ? "" : document.error().message;
  };
  for (const char* text : {"", "{", "[1,]", "{\"a\" 1}", "1 2", "nul", "\"\xff\""}) {
    EXPECT_THAT(error_of(text), StartsWith("is no JSON: wrong at byte ")) << text;
  }
  EXPECT_EQ(error_of(std::string("[1]\0x", 5)), "is no JSON: wrong at byte 4");
  EXPECT_EQ(error_of("[1, x]"), "is no JSON: wrong at byte 5");
  EXPECT_EQ(error_of(R"({"a": 1, "b\n": 2, "b\n": 3})"), R"(has the key 'b\x0a' twice)");
  EXPECT_EQ(error_of(std::string(16, '[') + std::string(16, ']')), "");
  EXPECT_EQ(error_of(std::string(17, '[') + std::string(17, ']')), "is nested over 16 deep");
  EXPECT_EQ(error_of(std::string(1 << 20, '[')), "is nested over 16 deep");
  std::string many = "[";
  for (int i = 0; i < 3'000'000; ++i) many += i % 2 == 0 ? "0," : "[],";
  EXPECT_EQ(error_of(many + "0]"), "has more than 3000000 values");
}

TEST(JsonValue, HasTheLimitsThatItIsGiven) {
  const auto written = [](const std::string& text, const JsonLimits& limits) {
    const auto document = ParseJson(text, limits);
    return document ? WriteJson(*document) : document.error().message;
  };
  const JsonLimits limits = {.max_depth = 2, .max_values = 4, .refuses_repetition = false};
  EXPECT_EQ(written("[[]]", limits), "[[]]");
  EXPECT_EQ(written("[[[]]]", limits), "is nested over 2 deep");
  EXPECT_EQ(written("[1,2,3]", limits), "[1, 2, 3]");
  EXPECT_EQ(written("[1,2,3,4]", limits), "has more than 4 values");
  EXPECT_EQ(written(R"({"b":1,"a":2,"b":3})", limits), R"({"a": 2, "b": 3})");

  // In time, whatever the keys are.
  std::string many = "{";
  for (int i = 0; i < 400'000; ++i) many += fmt::format("\"{}\":0,", i);
  EXPECT_EQ(
      ParseJson(many + "\"0\":1}", {.refuses_repetition = false})->As<JsonValue::Object>()->size(),
      400'000u);
}

TEST(JsonValue, IsWrittenAsItWasRead) {
  const std::string text =
      R"({"z": [null, true, -3, 2.5, 1e+30, "x\n\"é"], "a": {}, "": [], "b": {"c": 0.1}})";
  EXPECT_EQ(WriteJson(*ParseJson(text)), text);
}

TEST(JsonValue, IsReadFromAFile) {
  const TempDir dir;
  const std::string path = dir.Path("x.json");
  ASSERT_TRUE(WriteFile(path, R"({"a": [1]})"));
  EXPECT_TRUE(ReadJsonFile(path)->Find("a"));
  ASSERT_TRUE(WriteFile(path, "{"));
  EXPECT_EQ(ReadJsonFile(path).error().message, path + ": is no JSON: wrong at byte 2");
  ASSERT_EQ(truncate(path.c_str(), (64 << 20) + 1), 0);
  EXPECT_EQ(ReadJsonFile(path).error().message,
            path + ": is of 67108865 bytes: only 67108864 are read");
  EXPECT_THAT(ReadJsonFile(dir.Path("none")).error().message, StartsWith(dir.Path("none")));
}

}  // namespace
}  // namespace bitfetch
