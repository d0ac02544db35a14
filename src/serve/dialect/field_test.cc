// SPDX-License-Identifier: Apache-2.0
#include "serve/dialect/field.h"

#include <gtest/gtest.h>

#include "serve/dialect/test_served_model.h"

namespace bitfetch {
namespace {

TEST(Field, ReadsWhatIsGiven) {
  RequestBody body(
      R"({"t": "x", "i": 3, "n": null, "d": 2, "e": 0.5, "b": true, "l": [{"k": "y"}, null],
          "ids": [1, 0], "i": 4})");
  const Field request = body.fields();
  std::string text = "old";
  request["n"].Get(&text);
  request["none"].Get(&text);
  request["none"]["of"]["these"].Get(&text);
  EXPECT_EQ(text, "old");
  EXPECT_FALSE(request["n"].given());
  request["t"].Get(&text);
  EXPECT_EQ(text, "x");
  int whole = 0;
  request["i"].Get(&whole, 4, 4);
  EXPECT_EQ(whole, 4) << "the last of a repeated key";
  double number = 0;
  request["d"].Get(&number, 2, 3);
  EXPECT_EQ(number, 2);
  request["e"].Get(&number, 0.5, 1);
  EXPECT_EQ(number, 0.5);
  bool truth = false;
  request["b"].Get(&truth);
  EXPECT_TRUE(truth);
  const std::vector<Field> items = request["l"].Items();
  ASSERT_EQ(items.size(), 2u);
  items[0]["k"].Get(&text);
  EXPECT_EQ(text, "y");
  EXPECT_FALSE(items[1].given());
  std::vector<int> ids;
  request["ids"].Get(&ids, 2);
  EXPECT_EQ(ids, (std::vector<int>{1, 0}));
  EXPECT_TRUE(body.Check()) << ErrorOf(body.Check());
}

TEST(Field, NamesWhatIsWrong) {
  const auto error_of = [&](auto read) {
    RequestBody body(R"({"m": [{"c": 1.5}], "i": 3, "s": "a\nb", "ids": [1, -1]})");
    read(body.fields());
    return ErrorOf(body.Check());
  };
  std::string text;
  int whole = 7;
  double number = 7;
  bool truth = false;
  std::vector<int> ids;
  EXPECT_EQ(error_of([&](const Field& f) { f["m"].Items()[0]["c"].Get(&text); }),
            "400 'm[0].c' must be a string, and is 1.5 | m[0].c | invalid_type");
  EXPECT_EQ(error_of([&](const Field& f) { f["i"].Get(&whole, 4, 9); }),
            "400 'i' must be a whole number from 4 to 9, and is 3 | i | invalid_value");
  EXPECT_EQ(error_of([&](const Field& f) { f["m"].Items()[0]["c"].Get(&whole, 0, 9); }),
            "400 'm[0].c' must be a whole number from 0 to 9, and is 1.5 | m[0].c | invalid_value");
  EXPECT_EQ(error_of([&](const Field& f) { f["i"].Get(&number, 0, 2.5); }),
            "400 'i' must be a number from 0 to 2.5, and is 3 | i | invalid_value");
  EXPECT_EQ(error_of([&](const Field& f) { f["s"].Get(&number, 0, 1); }),
            "400 's' must be a number from 0 to 1, and is a string | s | invalid_type");
  EXPECT_EQ(error_of([&](const Field& f) { f["s"]["x"].Get(&number, 0, 1); }),
            "400 's' must be an object, and is a string | s | invalid_type");
  EXPECT_EQ(error_of([&](const Field& f) { f["m"].Get(&truth); }),
            "400 'm' must be true or false, and is a list | m | invalid_type");
  EXPECT_EQ(error_of([&](const Field& f) { (void)f["i"].Items(); }),
            "400 'i' must be a list, and is 3 | i | invalid_type");
  EXPECT_EQ(error_of([&](const Field& f) { f["ids"].Get(&ids, 2); }),
            "400 'ids' must hold token ids from 0 to 1, and has -1 at 1 | ids | invalid_value");
  EXPECT_EQ(error_of([&](const Field& f) {
              f["s"].GetOneOf(&text, {"x", "y"});
            }),
            "400 's' must be one of x, y, and is 'a\\x0ab' | s | invalid_value");
  EXPECT_EQ(error_of([&](const Field& f) { f["x"].Require(); }),
            "400 'x' is missing | x | missing_required_parameter");
  EXPECT_EQ(error_of([&](const Field& f) { f["i"].RefuseUnsupported(); }),
            "400 'i' is not supported | i | unsupported_parameter");
  EXPECT_EQ(error_of([&](const Field& f) {
              f["i"].Get(&text);
              f["m"].Get(&text);
            }),
            "400 'i' must be a string, and is 3 | i | invalid_type")
      << "the first stays";
  EXPECT_TRUE(text.empty() && whole == 7 && number == 7 && !truth && ids.empty());
}

TEST(Field, WhatSaysNothingIsNoUnsupportedWish) {
  RequestBody body(R"({"a": false, "b": 0, "c": 0.0, "d": "", "e": [], "f": {}})");
  for (const char* key : {"a", "b", "c", "d", "e", "f", "g"}) {
    body.fields()[key].RefuseUnsupported();
  }
  EXPECT_TRUE(body.Check());
}

}  // namespace
}  // namespace bitfetch
