// SPDX-License-Identifier: Apache-2.0
// What fails, and how; jinja_golden_test.cc has what comes out.
#include "text/jinja/render.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "text/jinja/parser.h"

namespace bitfetch::jinja {
namespace {

// What comes out, or what is wrong.
std::string Rendered(const std::string& source, const Dict& variables = {}) {
  const Result<Block> program = Parse(source);
  if (!program) return program.error().message;
  const Result<TracedText> text = Render(*program, variables);
  return text ? text->bytes() : text.error().message;
}

std::string Repeated(std::string_view piece, int times) {
  std::string text;
  for (int i = 0; i < times; ++i) text += piece;
  return text;
}

TEST(JinjaRender, ErrorsSayTheLineAndWhat) {
  EXPECT_EQ(Rendered("a\n\n{{ x | nosuch }}"), "line 3: there is no filter 'nosuch'");
  EXPECT_EQ(Rendered("{{ x is nosuch }}"), "line 1: there is no test 'nosuch'");
  EXPECT_EQ(Rendered("{% if true %}\n  {{ 'a' + x }}\n{% endif %}"),
            "line 2: '+' stands between a text and something undefined");
  EXPECT_EQ(Rendered("\n{% for x in 'abc' %}{% endfor %}"),
            "line 2: a loop can't go through a text");
  EXPECT_EQ(Rendered("{{ f(\n1) }}"), "line 1: f is called, but it is no function");
  EXPECT_EQ(Rendered("{{ x | trim }}"),
            "line 1: the filter 'trim': it is not for something undefined");
  EXPECT_EQ(Rendered("{{ 'a'.replace('b') }}"),
            "line 1: replace(): it takes two texts, not a text and something undefined");
  EXPECT_EQ(Rendered("\n{% set x.y = 1 %}"), "line 2: x is something undefined, no namespace");
  EXPECT_EQ(Rendered("{% macro m(a) %}{{ a.b }}\n{{ a | x }}{% endmacro %}\n\n{{ m({}) }}"),
            "line 2: there is no filter 'x'");
  EXPECT_EQ(Rendered("{{ 1 if }}"), "line 1: '}}' is not expected here");
  EXPECT_EQ(Rendered("a\n{% if true %}\nb\n"), "line 3: the template ends too early");
  EXPECT_EQ(Rendered("{% raw %}"), "line 1: the statement 'raw' is not known");
  EXPECT_EQ(Rendered("\n{{ 'a"), "line 2: a string has no end");
  EXPECT_EQ(Rendered("{{ 1 $ 2 }}"), "line 1: '$' is not expected in a tag");
  EXPECT_EQ(Rendered("{{ '\\q' }}"), "line 1: '\\q' is no escape");
  EXPECT_EQ(Rendered("{% continue %}"), "line 1: 'continue' is outside of a loop");
  EXPECT_EQ(Rendered("{% for x in [1] %}{% macro m() %}{% break %}{% endmacro %}{% endfor %}"),
            "line 1: 'break' is outside of a loop");
}

TEST(JinjaRender, WhatWouldNotEndIsAnError) {
  const std::string steps = "rendering takes more than 2000000 steps";
  const std::string bytes = "a text becomes longer than 8388608 bytes";
  EXPECT_EQ(Rendered("{% macro m() %}{{ m() }}{% endmacro %}\n{{ m() }}"),
            "line 1: it goes more than 500 levels deep: a macro may call itself");
  EXPECT_EQ(Rendered("{% macro m(n) %}{% for x in [1, 1] %}{{ m(n + 1) if n < 60 }}{% endfor %}"
                     "{% endmacro %}{{ m(0) }}"),
            "line 1: " + steps);
  EXPECT_EQ(Rendered("{% for x in range(1000000000) %}{% endfor %}"), "line 1: " + steps);
  EXPECT_EQ(Rendered("{% for x in range(100000) %}{% for y in range(100000) %}{% endfor %}"
                     "{% endfor %}"),
            "line 1: " + steps);
  EXPECT_EQ(Rendered("{% set ns = namespace(x='0123456789') %}{% for i in range(100) %}\n"
                     "{% set ns.x = ns.x + ns.x %}{% endfor %}"),
            "line 2: " + bytes);
  EXPECT_EQ(Rendered("{% set ns = namespace(x=[1]) %}{% for i in range(100) %}\n"
                     "{% set ns.x = ns.x + ns.x %}{% endfor %}"),
            "line 2: " + steps);
  EXPECT_EQ(Rendered("{% set ns = namespace(x=[]) %}{% for i in range(60) %}"
                     "{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x | tojson }}"),
            "line 1: the filter 'tojson': " + steps);
  EXPECT_EQ(Rendered("{% set ns = namespace(x=[]) %}{% for i in range(1000) %}"
                     "{% set ns.x = [ns.x] %}{% endfor %}"),
            "line 1: lists are more than 100 levels deep");
  // What nests without a list or a dict of the template's own.
  EXPECT_EQ(Rendered("{% set ns = namespace(x={'a': 1}) %}{% for i in range(100000) %}"
                     "{% for y in ns.x | items %}{% if loop.last %}{% set ns.x = loop %}{% endif %}"
                     "{% endfor %}{% endfor %}"),
            "line 1: lists are more than 100 levels deep");
  EXPECT_EQ(Rendered("{% set ns = namespace(x={}) %}{% for i in range(100000) %}"
                     "{% set ns.x = {'a': ns.x.get} %}{% endfor %}"),
            "line 1: lists are more than 100 levels deep");
  EXPECT_EQ(Rendered("{% set ns = namespace(x=1) %}{% for i in range(100000) %}"
                     "{% for x in [ns.x, 1] %}{% if loop.last %}{% set ns.x = [loop] %}{% endif %}"
                     "{% endfor %}{% endfor %}"),
            "line 1: lists are more than 100 levels deep");
  EXPECT_EQ(Rendered("{% set ns = namespace() %}{% set ns.x = [ns] %}{{ ns }}"),
            "line 1: what holds itself can't be written as JSON");
  EXPECT_EQ(Rendered("{{ 'a\\na' | indent(100000000) }}"), "line 1: the filter 'indent': " + bytes);
  EXPECT_EQ(Rendered("{% set x = 'a'.replace('a', 'b' * 1) %}"),
            "line 1: '*' stands between a text and a number");
  const std::string half = "{% set x = 'ab' | indent(4000000, true) %}";
  EXPECT_EQ(Rendered(half + "{{ x | replace(' ', x) }}"),
            "line 1: the filter 'replace': replace(): " + steps);
  EXPECT_EQ(Rendered(half + "{% for i in range(1000000) %}{{ 'b' in x }}{% endfor %}"),
            "line 1: " + steps);
  EXPECT_EQ(Rendered(half + "{{ [x, x, x] | join }}"), "line 1: the filter 'join': " + bytes);
  EXPECT_EQ(Rendered(half + "{{ x }}\n{{ x }}{{ x }}"), "line 2: " + bytes);
}

TEST(JinjaRender, WhatIsNestedWithoutEndIsAnError) {
  const std::string brackets = "line 1: an expression has more than 100 levels of brackets";
  const std::string deep = "line 1: an expression is more than 200 levels deep";
  const int n = 10'000;
  EXPECT_EQ(Rendered("{{ " + Repeated("(", n) + "1" + Repeated(")", n) + " }}"), brackets);
  EXPECT_EQ(Rendered("{{ " + Repeated("[", n) + Repeated("]", n) + " }}"), brackets);
  EXPECT_EQ(Rendered("{{ " + Repeated("{'a': ", n) + "1" + Repeated("}", n) + " }}"), brackets);
  EXPECT_EQ(Rendered("{{ " + Repeated("a[", n) + " }}"), brackets);
  EXPECT_EQ(Rendered("{{ " + Repeated("a(", n) + " }}"), brackets);
  EXPECT_EQ(Rendered("{{ " + Repeated("not ", n) + "1 }}"), brackets);
  EXPECT_EQ(Rendered("{{ " + Repeated("- ", n) + "1 }}"), brackets);
  EXPECT_EQ(Rendered("{{ " + Repeated("a if b else ", n) + "1 }}"), brackets);
  EXPECT_EQ(Rendered("{{ 1" + Repeated(" + 1", n) + " }}"), deep);
  EXPECT_EQ(Rendered("{{ a" + Repeated(".a", n) + " }}"), deep);
  EXPECT_EQ(Rendered("{{ a" + Repeated("()", n) + " }}"), deep);
  EXPECT_EQ(Rendered("{{ a" + Repeated(" | trim", n) + " }}"), deep);
  EXPECT_EQ(Rendered("{{ a" + Repeated(" is defined", n) + " }}"), deep);
  EXPECT_EQ(Rendered(Repeated("{% if a %}", n)), "line 1: blocks are more than 100 levels deep");
  EXPECT_EQ(Rendered(Repeated("{% for a in b %}", n)),
            "line 1: blocks are more than 100 levels deep");
  EXPECT_EQ(Rendered("{% if a %}" + Repeated("{% elif a %}", n) + "{% endif %}"), "");
  EXPECT_EQ(Rendered(Repeated("a", (1 << 20) + 1)),
            "it has 1048577 bytes: more than 1048576 are no template");

  Value list = std::vector<Value>();
  for (int i = 0; i < 200; ++i) list = std::vector<Value>{list};
  Dict variables;
  variables.Set("tools", list);
  EXPECT_EQ(Rendered("", variables), "tools: lists are more than 100 levels deep");
}

TEST(JinjaRender, NumbersThatAreNoneDoNoHarm) {
  EXPECT_EQ(
      Rendered("{% set x = 0 / 0 %}{{ x }} {{ 'ab'[x] }}{{ 'ab'[x:] }}{{ 'a' | indent(x, true) }}"
               "{{ range(x) }}{{ [1] | tojson(indent=x) }}{{ 'a,b'.split(',', x) }}"),
      "NaN a[][1][\"a\", \"b\"]");
  EXPECT_EQ(Rendered("{% set x = 1 / 0 %}{{ 'ab'[x] }}{{ 'ab'[x:] }}{{ 'ab'[:x] }}{{ [1, 2][::x] }}"
                     "{{ 'ab'[-x] }}"),
            "ab[1]");
}

TEST(JinjaRender, ALongConversationIsRendered) {
  std::vector<Value> messages;
  for (int i = 0; i < 1000; ++i) {
    Dict message;
    message.Set("role", Value::Own(i % 2 == 0 ? "user" : "assistant"));
    message.Set("content", Value::Foreign(Repeated("words ", 500)));
    messages.emplace_back(std::move(message));
  }
  Dict variables;
  variables.Set("messages", std::move(messages));
  EXPECT_EQ(Rendered("{% for m in messages %}{% set before = messages[loop.index0 - 1] %}"
                     "{{ (before.role + m['content'] | trim).split('</think>')[-1] ~ '\n' }}"
                     "{% endfor %}",
                     variables)
                .size(),
            3'006'500u);
}

TEST(JinjaRender, TellsTheTime) {
  EXPECT_THAT(Rendered("{{ strftime_now('%Y-%m-%d %H:%M %b %B %% %q %') }}"),
              testing::MatchesRegex(
                  "2[0-9]{3}-[01][0-9]-[0-3][0-9] [0-2][0-9]:[0-5][0-9] [A-Z][a-z]{2} [A-Z][a-z]+ "
                  "% %q %"));
  EXPECT_EQ(Rendered("{{ strftime_now is defined }}"), "true");
}

}  // namespace
}  // namespace bitfetch::jinja
