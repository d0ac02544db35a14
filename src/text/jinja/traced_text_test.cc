// SPDX-License-Identifier: Apache-2.0
#include "text/jinja/traced_text.h"

#include <gtest/gtest.h>

namespace bitfetch {
namespace {

using enum TracedText::Author;

// Others' bytes as they are, the template's as points.
std::string Shown(const TracedText& text) {
  std::string shown = text.bytes();
  size_t at = 0;
  for (const TracedText::Run& run : text.runs()) {
    EXPECT_GT(run.end, at);
    for (; at < run.end; ++at) {
      if (run.author == kTemplate) shown[at] = '.';
    }
  }
  EXPECT_EQ(at, shown.size());
  return shown;
}

TracedText Mixed() {
  TracedText text("ab", kTemplate);
  text.Append({"cde", kOther});
  text.Append({"", kTemplate});
  text.Append({"f", kOther});
  text.Append({"gh", kTemplate});
  return text;
}

TEST(TracedText, KnowsTheAuthorOfEachByte) {
  EXPECT_EQ(Mixed().bytes(), "abcdefgh");
  EXPECT_EQ(Shown(Mixed()), "..cdef..");
  EXPECT_EQ(Mixed().runs().size(), 3u);
  EXPECT_EQ(Shown(TracedText()), "");
}

TEST(TracedText, SlicesKeepIt) {
  const TracedText text = Mixed();
  const std::string shown = Shown(text);
  for (size_t begin = 0; begin <= text.size(); ++begin) {
    for (size_t size = 0; size <= text.size() + 1; ++size) {
      const TracedText slice = text.Slice(begin, size);
      EXPECT_EQ(Shown(slice), shown.substr(begin, size));
      TracedText whole = text.Slice(0, begin);
      whole.Append(slice);
      whole.Append(text.Slice(begin + slice.size()));
      EXPECT_EQ(whole, text);
    }
  }
  EXPECT_EQ(Shown(text.Mapped([](char c) { return static_cast<char>(c - 32); })), "..CDEF..");
}

TEST(TracedText, BeginsWithTheSameBytesOfTheSameAuthors) {
  const TracedText text = Mixed();
  EXPECT_TRUE(text.StartsWith({}));
  EXPECT_TRUE(text.StartsWith(text));
  EXPECT_TRUE(text.StartsWith(text.Slice(0, 4)));
  EXPECT_FALSE(text.StartsWith({"abc", kTemplate}));
  EXPECT_FALSE(text.StartsWith({"ab", kOther}));
  EXPECT_FALSE(text.Slice(0, 4).StartsWith(text));
}

}  // namespace
}  // namespace bitfetch
