// SPDX-License-Identifier: Apache-2.0
#include "serve/http/target.h"

#include <gtest/gtest.h>

#include <tuple>
#include <vector>

namespace bitfetch::http {
namespace {

TEST(Target, IsAPathAndAQuery) {
  using Row = std::tuple<const char*, const char*, const char*>;
  for (const auto& [target, path, query] : std::vector<Row>{
           {"/", "/", ""},
           {"/v1/models", "/v1/models", ""},
           {"/a?b=c&d", "/a", "b=c&d"},
           {"/a?", "/a", ""},
           {"/a?b?%00../", "/a", "b?%00../"},
           {"/a%20b%2Fc%c3%a9", "/a b/c\xc3\xa9", ""},
           {"/a..b/.c/d./...", "/a..b/.c/d./...", ""},
           {"//a/", "//a/", ""},
           {"*", "*", ""},
           {"http://x", "/", ""},
           {"http://x?b", "/", "b"},
           {"HTTP://x:80/a?b", "/a", "b"},
           {"https://[::1]:80/a", "/a", ""},
       }) {
    const auto parsed = ParseTarget(target);
    ASSERT_TRUE(parsed) << target << ": " << parsed.error().message;
    EXPECT_EQ(parsed->path, path);
    EXPECT_EQ(parsed->query, query);
  }
}

TEST(Target, ErrorsSayWhatIsWrong) {
  using Row = std::tuple<std::string, std::string>;
  for (const auto& [target, error] : std::vector<Row>{
           {"", "what is asked for must begin with /"},
           {"a", "what is asked for must begin with /"},
           {"/%", "the path has a % without two hexadecimal digits behind it"},
           {"/%2", "the path has a % without two hexadecimal digits behind it"},
           {"/%2x", "the path has a % without two hexadecimal digits behind it"},
           {"/%+1", "the path has a % without two hexadecimal digits behind it"},
           {"/a%0a", "the path has a control character"},
           {"/a%7f", "the path has a control character"},
           {"/a%c2%9c", "the path has a control character"},
           {"/a\xc2\x9c", "the path has a control character"},
           {"/a%9c", "the path is not UTF-8"},
           {"/a%80", "the path is not UTF-8"},
           {"/..", "the path has a segment . or .."},
           {"/.", "the path has a segment . or .."},
           {"/a%2f%2e./b", "the path has a segment . or .."},
           {"http://x/../a", "the path has a segment . or .."},
       }) {
    const auto parsed = ParseTarget(target);
    ASSERT_FALSE(parsed) << target;
    EXPECT_EQ(parsed.error().message, error) << target;
  }
}

}  // namespace
}  // namespace bitfetch::http
