// SPDX-License-Identifier: Apache-2.0
#include "text/constraint/constraint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <random>
#include <set>
#include <string>

#include "text/constraint/test_validator.h"

namespace bitfetch {
namespace {

using testing::HasSubstr;

JsonValue Json(std::string_view text) { return ParseJson(text, {.max_depth = 200'000}).value(); }

// All bytes, and some pieces of JSON.
const std::vector<std::string>& Tokens() {
  static const std::vector<std::string> tokens = [] {
    std::vector<std::string> all = {
        "",     "\"}",  "\":", "\", \"", "{\"",
        "true", "12",   "a",   "\"a\"",  "[[",
        "}}",   "\n  ", "é\"", "null,",  "          12345678901234567890",
        "name", "\\\"", "]}",  "9.5",    "aaaaaaaaaaaaaaaaaaaaaaaa\"",
        "</th", "ink",  ">{",  "<",      "</think>",
        ">\n"};
    for (int byte = 0; byte < 256; ++byte) all.push_back(std::string(1, static_cast<char>(byte)));
    return all;
  }();
  return tokens;
}

std::shared_ptr<const TokenTries> TrieOf(const std::vector<std::string>& tokens) {
  const std::vector<std::string_view> views(tokens.begin(), tokens.end());
  return std::make_shared<const TokenTries>(views);
}

std::shared_ptr<const TokenTries> SmallTrie() {
  static const std::shared_ptr<const TokenTries> trie = TrieOf(Tokens());
  return trie;
}

Result<std::shared_ptr<const Constraint>> Compile(std::string_view schema) {
  return Constraint::Create({Form::Schema{Json(schema)}}, SmallTrie());
}

std::string ErrorOf(std::string_view schema) {
  const auto compiled = Compile(schema);
  return compiled ? "none" : compiled.error().message;
}

// Whether a text may be written byte by byte, and end.
bool Takes(const std::shared_ptr<const Constraint>& constraint, std::string_view text) {
  Matcher matcher(constraint->grammar());
  Matcher::State state = matcher.start();
  for (const char byte : text) {
    state = matcher.Step(state, static_cast<uint8_t>(byte));
    if (state == Matcher::kDead) return false;
  }
  return matcher.MayEnd(state);
}

bool Takes(std::string_view schema, std::string_view text) {
  const auto compiled = Compile(schema);
  EXPECT_TRUE(compiled) << compiled.error().message;
  return compiled && Takes(*compiled, text);
}

TEST(Constraint, TakesAnyObject) {
  const auto object = Compile(R"({"type": "object"})").value();
  for (const char* text :
       {"{}", R"({"a":1})", R"({"a": [1, 2.5e-3, true, null, {"b": "\n\u001f\"é😀"}], "c": []})",
        "{\n  \"a\": -0\n}"}) {
    EXPECT_TRUE(Takes(object, text)) << text;
  }
  for (const char* text : {"", "[]", "{,}", R"({"a":01})", R"({"a":1,})", R"({"a":"\x"})",
                           "{\"a\":\"\xff\"}", "{\"a\":\"\xed\xa0\x80\"}", "{\"a\":\"\n\"}", "{  }",
                           R"({"a":1}})", R"({"a":.5})", R"({"a":1.})"}) {
    EXPECT_FALSE(Takes(object, text)) << text;
  }
}

TEST(Constraint, ObjectsHaveTheirPropertiesInOrder) {
  const char* const schema = R"({"type": "object", "properties": {"a": {"type": "integer"},
      "b": {"type": ["string", "null"]}, "c": {"type": "boolean"}}, "required": ["b"],
      "additionalProperties": false})";
  for (const char* text : {R"({"b": null})", R"({"a": 1, "b": "x"})", R"({"b":"","c":true})",
                           R"({"a":-12,"b":null,"c":false})"}) {
    EXPECT_TRUE(Takes(schema, text)) << text;
  }
  for (const char* text : {"{}", R"({"a": 1})", R"({"b": "x", "a": 1})", R"({"b": 1})",
                           R"({"b": null, "d": 1})", R"({"b": null, "b": null})"}) {
    EXPECT_FALSE(Takes(schema, text)) << text;
  }
}

// Random choices among what is allowed, of which what closes is likelier, as it is to a model.
std::string Write(const std::shared_ptr<const Constraint>& constraint,
                  const std::vector<std::string>& tokens, std::mt19937& random) {
  ConstrainedText text(constraint);
  std::string written;
  while (!text.must_end() && !(text.may_end() && random() % 4 == 0)) {
    const TokenMask& allowed = text.Allowed();
    std::vector<int> ids;
    for (size_t id = 0; id < tokens.size(); ++id) {
      if (!allowed.Has(id)) continue;
      const bool closes = tokens[id].find_first_of("\"]}") != std::string::npos;
      ids.insert(ids.end(), closes ? 40 : 1, static_cast<int>(id));
    }
    if (ids.empty() || written.size() > 20'000) {
      ADD_FAILURE() << ids.size() << " are allowed behind " << written;
      break;
    }
    const std::string& token = tokens[ids[random() % ids.size()]];
    written += token;
    text.Append(token);
  }
  return written;
}

const char* const kSchemas[] = {
    "true",
    R"({"type": "object"})",
    R"({"type": ["integer", "null", "array"]})",
    R"({"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "string"}}})",
    R"({"type": "object", "properties": {"a": true, "aé": {"type": "null"}}, "required": ["z"],
        "additionalProperties": {"type": "boolean"}})",
    R"({"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 4})",
    R"({"type": "array", "prefixItems": [{"type": "string"}, {"type": "null"}], "minItems": 1,
        "items": false})",
    R"({"type": "array", "prefixItems": [{"type": "string"}, {"type": "null"}], "minItems": 4,
        "items": {"enum": ["a", "ab", 1, 12, 1.5, null, true, [1, {"a": []}], {}]}})",
    R"({"anyOf": [{"type": "object", "properties": {"type": {"const": "a"}, "x": {"$ref": "#"}},
                  "required": ["type", "x"], "additionalProperties": false},
                 {"type": "object", "properties": {"type": {"const": "ab"}, "y": {"type": "null"}},
                  "required": ["type"], "additionalProperties": false}]})",
    R"({"$defs": {"tree": {"type": "object", "properties": {"name": {"type": "string"},
        "children": {"type": "array", "items": {"$ref": "#/$defs/tree"}, "maxItems": 2}},
        "required": ["name", "children"], "additionalProperties": false}},
        "$ref": "#/$defs/tree"})",
    R"({"type": "string", "minLength": 3, "maxLength": 5})",
    R"({"type": "string", "pattern": "^(a|bc)+[^a-y\"]{2,3}\\d?$"})",
    R"({"type": "string", "pattern": "b[éx]|^n", "minLength": 4, "maxLength": 7})",
    R"({"type": "string", "minLength": 40, "maxLength": 100})",
    R"({"type": "array", "items": {"type": "null"}, "minItems": 30, "maxItems": 400})",
    R"({"type": "integer", "minimum": -12, "maximum": 1234})",
    R"({"type": "integer", "exclusiveMinimum": 7})",
    R"({"type": "integer", "maximum": -99})",
    R"({"type": "number", "minimum": 0, "maximum": 1})",
    R"({"type": "number", "exclusiveMinimum": -3, "exclusiveMaximum": 20})",
    R"({"type": "number", "exclusiveMinimum": 0})",
    R"({"type": "object", "allOf": [{"properties": {"a": {"type": "integer"}}, "required": ["a"]},
        {"properties": {"a": {"minimum": 3}, "b": {"type": "string", "maxLength": 2}}}]})",
    R"({"oneOf": [{"type": "string", "maxLength": 2}, {"type": "integer", "minimum": 5}]})",
    R"({"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "string"}},
        "anyOf": [{"required": ["a"]}, {"required": ["b"]}]})",
};

TEST(Constraint, WhatIsWrittenMeetsItsSchema) {
  std::mt19937 random(3);
  for (const char* schema : kSchemas) {
    const auto compiled = Compile(schema);
    ASSERT_TRUE(compiled) << schema << ": " << compiled.error().message;
    const JsonValue value = Json(schema);
    for (int i = 0; i < 40; ++i) {
      const std::string text = Write(*compiled, Tokens(), random);
      // A name may come twice where any may come.
      const auto parsed = ParseJson(text, {.max_depth = 200, .refuses_repetition = false});
      ASSERT_TRUE(parsed) << text << ": " << parsed.error().message;
      EXPECT_TRUE(Validator(value).Meets(*parsed)) << schema << "\n" << text;
    }
  }
}

// Schemas and values of them, as JSON Schema's order and spelling have it; then values of others.
TEST(Constraint, TakesWhatMeetsASchema) {
  const struct {
    const char* schema;
    std::vector<const char*> right;
    std::vector<const char*> wrong;
  } cases[] = {
      {R"({"type": "integer", "minimum": -12, "maximum": 1234})",
       {"-12", "-1", "0", "9", "10", "99", "100", "999", "1000", "1234"},
       {"-13", "1235", "2000", "01", "1.0", "9999", "-20", "-100"}},
      {R"({"type": "integer", "minimum": 20, "exclusiveMaximum": 100000})",
       {"20", "99", "100", "12345", "99999"},
       {"19", "100000", "9"}},
      {R"({"type": "number", "minimum": 0, "maximum": 1})",
       {"0", "1", "0.5", "0.999", "0.0"},
       {"1.5", "-0.5", "2", "1.01"}},
      {R"({"type": "number", "exclusiveMinimum": -3, "maximum": 20})",
       {"-2.999", "-0.5", "0", "19.5", "20", "-2"},
       {"-3", "-3.0", "20.5", "21"}},
      {R"({"type": "string", "pattern": "^a+$"})", {R"("a")", R"("aaa")"}, {R"("")", R"("ab")"}},
      {R"({"type": "string", "pattern": "a.c"})",
       {R"("abc")", R"("xxa\"cyy")", R"("aéc")"},
       {R"("ac")", R"("a\nc")"}},
      {R"({"type": "string", "pattern": "^\\S{2}\\u00e9[\\d-]$", "maxLength": 4})",
       {R"("abé7")", R"("xxé-")"},
       {R"("a é7")", R"("abé")"}},
      {R"({"format": "date"})", {R"("2024-02-29")", R"("1999-12-31")"}, {R"("2023-02-29")"}},
      {R"({"format": "date-time"})", {R"("2024-02-29T23:59:59.5Z")"}, {R"("2024-02-29")"}},
      {R"({"format": "uuid"})", {R"("123e4567-e89b-12d3-a456-426614174000")"}, {R"("123")"}},
      {R"({"format": "email"})", {R"("a.b@c-d.org")"}, {R"("a@b")", R"("@b.c")"}},
      {R"({"format": "duration"})",
       {R"("P1Y2M")", R"("PT5M")", R"("P3W")"},
       {R"("P")", R"("P1YT")"}},
      {R"({"type": "object", "properties": {"a": true}, "additionalProperties": {"type": "null"}})",
       {R"({"a": "x", "b": null})", R"({"b": null})", R"({"aa":null,"":null})"},
       {R"({"b": 1})", R"({"a": 1, "a": null})"}},
      {R"({"enum": ["a", "ab", 1, [1, 2], null]})",
       {R"("a")", R"("ab")", "1", "[1, 2]", "[1,2]", "null"},
       {R"("b")", "12", "[1]"}},
      {R"({"type": "string", "enum": ["a", 5]})", {R"("a")"}, {"5"}},
  };
  for (const auto& one : cases) {
    const auto compiled = Compile(one.schema);
    ASSERT_TRUE(compiled) << one.schema << ": " << compiled.error().message;
    for (const char* text : one.right) EXPECT_TRUE(Takes(*compiled, text)) << one.schema << text;
    for (const char* text : one.wrong) EXPECT_FALSE(Takes(*compiled, text)) << one.schema << text;
  }
}

TEST(Constraint, ATextEndsWithItsFirstMark) {
  std::mt19937 random(8);
  for (const std::string mark : {"</think>", "ab", "aa", "aabaaa", "abab", "b"}) {
    const auto until = Constraint::Create({Form::Until{mark}}, SmallTrie()).value();
    EXPECT_TRUE(Takes(until, "\xff\n" + mark));
    for (int i = 0; i < 500; ++i) {
      std::string text(random() % 9, ' ');
      for (char& c : text) c = random() % 3 != 0 ? 'a' : 'b';
      const bool ends = text.ends_with(mark) && text.find(mark) == text.size() - mark.size();
      EXPECT_EQ(Takes(until, text), ends) << text << mark;
    }
  }
}

// The mark may come in one token or in several, and with the first bytes of what follows it.
TEST(Constraint, WhatFollowsAMarkMeetsItsSchema) {
  const std::string mark = "</think>";
  std::mt19937 random(4);
  std::set<size_t> beginnings;
  for (const char* schema : kSchemas) {
    const Form form{Form::Sequence{{{Form::Until{mark}}, {Form::Schema{Json(schema)}}}}};
    const auto made = Constraint::Create(form, SmallTrie()).value();
    const JsonValue value = Json(schema);
    for (int i = 0; i < 4; ++i) {
      const std::string text = Write(made, Tokens(), random);
      const size_t at = text.find(mark);
      ASSERT_NE(at, std::string::npos) << text;
      const auto parsed =
          ParseJson(text.substr(at + mark.size()), {.max_depth = 200, .refuses_repetition = false});
      ASSERT_TRUE(parsed) << text << ": " << parsed.error().message;
      EXPECT_TRUE(Validator(value).Meets(*parsed)) << schema << "\n" << text;
      beginnings.insert(at);
    }
  }
  EXPECT_GT(beginnings.size(), 20u);
}

TEST(Constraint, FormsAreMadeOfForms) {
  const auto call = [](const char* name, const char* schema) {
    return Form{Form::Sequence{{{Form::Literal{std::string("{\"name\": \"") + name}},
                                {Form::Literal{"\", \"arguments\": "}},
                                {Form::Schema{Json(schema), name}},
                                {Form::Literal{"}"}}}}};
  };
  const Form one_of{Form::OneOf{
      {call("get", R"({"type": "array", "maxItems": 0})"), call("set", R"({"type": "integer"})")}}};
  const Form form{Form::Sequence{
      {{Form::Literal{"<tool_call>\n"}}, one_of, {Form::Literal{"\n</tool_call>"}}}}};
  const auto made = Constraint::Create(form, SmallTrie()).value();
  EXPECT_TRUE(Takes(made, "<tool_call>\n{\"name\": \"get\", \"arguments\": []}\n</tool_call>"));
  EXPECT_TRUE(Takes(made, "<tool_call>\n{\"name\": \"set\", \"arguments\": -5}\n</tool_call>"));
  EXPECT_FALSE(Takes(made, "<tool_call>\n{\"name\": \"get\", \"arguments\": 5}\n</tool_call>"));
  EXPECT_EQ(
      Constraint::Create(call("f", R"({"items": {"type": "x"}})"), SmallTrie()).error().message,
      "f#/items: 'type' is no type or list of types");
}

// A token may come where its bytes may, and leave the text where they do.
TEST(Constraint, TokensAreAllowedWhereTheirBytesAre) {
  std::mt19937 random(5);
  for (const char* schema : kSchemas) {
    const auto compiled = Compile(schema).value();
    ConstrainedText text(compiled);
    std::string written;
    for (int i = 0; i < 60 && !text.must_end(); ++i) {
      const TokenMask allowed = text.Allowed();
      std::vector<int> ids;
      for (size_t id = 0; id < Tokens().size(); ++id) {
        Matcher matcher(compiled->grammar());
        Matcher::State state = matcher.start();
        for (const char byte : written + Tokens()[id]) {
          if (state != Matcher::kDead) state = matcher.Step(state, static_cast<uint8_t>(byte));
        }
        ASSERT_EQ(allowed.Has(id), !Tokens()[id].empty() && state != Matcher::kDead)
            << written << id;
        if (allowed.Has(id)) ids.push_back(static_cast<int>(id));
      }
      const std::string& token = Tokens()[ids[random() % ids.size()]];
      written += token;
      text.Append(token);
    }
  }
}

// By the definition of LogitsWanted.
std::vector<Logit> Shown(const std::vector<Logit>& logits, const LogitsWanted& wanted) {
  const auto is_always = [&](const Logit& logit) {
    return std::ranges::binary_search(wanted.always, logit.id);
  };
  std::vector<float> others;
  for (const Logit& logit : logits) {
    if (!is_always(logit)) others.push_back(logit.value);
  }
  if (wanted.top == 0 || std::ssize(others) <= wanted.top) return logits;
  std::ranges::nth_element(others, others.begin() + wanted.top - 1, std::greater());
  const double least = others[wanted.top - 1] - wanted.margin;
  std::vector<Logit> shown = logits;
  std::erase_if(shown,
                [&](const Logit& logit) { return !is_always(logit) && logit.value < least; });
  return shown;
}

TEST(Constraint, WhatIsWantedOfTheAllowedIsWantedOfAll) {
  const std::vector<int> stops = {0, 3};  // of which one is a word, too
  const Form form{Form::Sequence{{{Form::Until{"</think>"}}, {Form::Schema{Json("true")}}}}};
  std::mt19937 random(6);
  size_t spared = 0;
  for (int i = 0; i < 20; ++i) {
    ConstrainedText text(Constraint::Create(form, SmallTrie()).value());
    for (int j = 0; j < 100 && !text.must_end(); ++j) {
      std::vector<Logit> all;
      for (int id = 0; id < std::ssize(Tokens()); ++id) {
        all.push_back({id, static_cast<float>(random() % 97)});
      }
      const LogitsWanted wanted{.top = static_cast<int64_t>(random() % 9),
                                .margin = static_cast<double>(random() % 3),
                                .always = {4, 30}};
      std::vector<Logit> shown = Shown(all, text.Wanted(stops, wanted));
      spared += all.size() - shown.size();
      text.Filter(stops, &all);
      text.Filter(stops, &shown);
      for (const Logit& logit : Shown(all, wanted)) {
        EXPECT_TRUE(std::ranges::binary_search(shown, logit.id, {}, &Logit::id)) << logit.id;
      }
      const int token = all[random() % all.size()].id;
      if (!text.Allowed().Has(token)) break;  // the end
      text.Append(Tokens()[token]);
    }
  }
  EXPECT_GT(spared, 100'000u);
}

// What no token spells is never begun.
TEST(Constraint, VocabulariesThatLackBytesLeadToNoDeadEnd) {
  std::vector<std::string> tokens;
  for (const char byte : std::string("{}\":,[]abc0123456789-")) tokens.push_back({byte});
  tokens.insert(tokens.end(), {"t", "tru", "true", "é", "\\u", "nul", "e+", "0."});
  const auto trie = TrieOf(tokens);
  std::mt19937 random(7);
  for (const char* schema :
       {"true", R"({"type": "object"})", R"({"type": ["string", "boolean"]})"}) {
    const auto compiled = Constraint::Create({Form::Schema{Json(schema)}}, trie);
    ASSERT_TRUE(compiled) << compiled.error().message;
    for (int i = 0; i < 30; ++i)
      EXPECT_TRUE(ParseJson(Write(*compiled, tokens, random),
                            {.max_depth = 200, .refuses_repetition = false}));
  }
  EXPECT_FALSE(Constraint::Create({Form::Schema{Json(R"({"const": "x"})")}}, trie));
}

TEST(Constraint, IsNestedToALimit) {
  const auto any = Compile("true").value();
  EXPECT_TRUE(Takes(any, std::string(50, '[') + std::string(50, ']')));
  EXPECT_FALSE(Takes(any, std::string(500, '[') + std::string(500, ']')));
  ConstrainedText text(any);
  while (text.Allowed().Has('[' + Tokens().size() - 256)) text.Append("[");
  std::mt19937 random(1);
  for (int i = 0; i < 5000 && !text.must_end(); ++i) {
    text.Append(text.Allowed().Has(']' + Tokens().size() - 256) ? "]" : "0");
  }
  EXPECT_TRUE(text.must_end());
}

TEST(Constraint, WhatIsHugeOrHostileIsRefusedOrWorks) {
  EXPECT_TRUE(Takes(R"({"type": "string", "maxLength": 1000000000})", R"("abc")"));
  EXPECT_TRUE(Takes(R"({"type": "array", "maxItems": 1e9, "items": {"type": "null"}})", "[null]"));
  EXPECT_THAT(ErrorOf(R"x({"type": "string", "pattern": "((a{1000}){1000}){1000}"})x"),
              HasSubstr("too large"));
  EXPECT_THAT(ErrorOf(R"x({"pattern": "((((((){9999}){9999}){9999}){9999}){9999})"})x"),
              HasSubstr("too large"));
  EXPECT_THAT(ErrorOf(R"({"type": "string", "pattern": "a{1,9999}", "maxLength": 9999})"),
              HasSubstr("too large"));
  std::string deep;
  for (int i = 0; i < 5'000; ++i) deep += R"({"items":)";
  deep += "true" + std::string(5'000, '}');
  EXPECT_THAT(ErrorOf(deep), HasSubstr("nested over 500 deep"));
  std::string less_deep;
  for (int i = 0; i < 200; ++i) less_deep += R"({"items":)";
  EXPECT_THAT(ErrorOf(less_deep + "true" + std::string(200, '}')),
              HasSubstr("nested over 128 deep"));
  std::string alike = R"({"oneOf": [)";
  for (int i = 0; i < 64; ++i) {
    alike += fmt::format("{}{{\"enum\": [", i > 0 ? "," : "");
    for (int j = 0; j < 900; ++j) alike += fmt::format("{}{}", j > 0 ? "," : "", 1000 * i + j);
    alike += "]}";
  }
  EXPECT_EQ(ErrorOf(alike + "]}"), "none");
  EXPECT_THAT(ErrorOf(R"({"pattern": ")" + std::string(100'000, '(') + "\"}"),
              HasSubstr("too large"));
  EXPECT_THAT(ErrorOf(R"({"pattern": ")" + std::string(1000, '(') + "\"}"), HasSubstr("groups"));
  std::string many = R"({"enum": [)";
  for (int i = 0; i < 1'000'000; ++i) many += fmt::format("{}\"{}\"", i > 0 ? "," : "", i * 7919LL);
  EXPECT_THAT(ErrorOf(many + "]}"), HasSubstr("bytes"));
  // Each array is one of two, which look alike.
  const auto ambiguous = Compile(R"({"$defs": {"a": {"type": "array", "items": {"anyOf":
      [{"$ref": "#/$defs/a"}, {"$ref": "#/$defs/b"}]}}, "b": {"type": "array", "items": {"anyOf":
      [{"$ref": "#/$defs/a"}, {"$ref": "#/$defs/b"}]}}}, "$ref": "#/$defs/a"})")
                             .value();
  EXPECT_TRUE(Takes(ambiguous, std::string(30, '[') + std::string(30, ']')));
  const auto subsets =
      Compile(R"({"pattern": "^(a|[ab]{1,200})*a[ab]{200}$", "type": "string"})").value();
  ConstrainedText text(subsets);
  text.Append("\"");
  std::mt19937 random(2);
  for (int i = 0; i < 300; ++i) {
    ASSERT_TRUE(text.Allowed().Has(7));
    text.Append(random() % 2 != 0 ? "a" : "b");
  }
}

TEST(Constraint, NamesWhatIsWrongWithASchema) {
  EXPECT_THAT(ErrorOf(R"({"properties": {"a": {"not": {}}}})"),
              HasSubstr("#/properties/a: the keyword 'not' is not supported"));
  EXPECT_THAT(ErrorOf(R"({"$ref": "#"})"), HasSubstr("itself"));
  EXPECT_THAT(ErrorOf(R"({"type": "array", "items": {"$ref": "#"}, "minItems": 1})"),
              HasSubstr("finite"));
}

}  // namespace
}  // namespace bitfetch
