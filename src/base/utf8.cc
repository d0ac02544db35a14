// SPDX-License-Identifier: Apache-2.0
#include "base/utf8.h"

namespace bitfetch {
namespace {

constexpr std::string_view kReplacement = "\xef\xbf\xbd";  // U+FFFD

// The row of Unicode's table 3-7 for a first byte: how many bytes follow, and what the second may
// be. The ranges of the second byte keep out overlong forms, surrogates and what is past U+10FFFF.
struct Row {
  size_t following;
  uint8_t low;
  uint8_t high;
};

Row RowFor(uint8_t first) {
  if (first < 0x80) return {0, 0, 0};
  if (first >= 0xc2 && first <= 0xdf) return {1, 0x80, 0xbf};
  if (first == 0xe0) return {2, 0xa0, 0xbf};
  if (first == 0xed) return {2, 0x80, 0x9f};
  if (first >= 0xe1 && first <= 0xef) return {2, 0x80, 0xbf};
  if (first == 0xf0) return {3, 0x90, 0xbf};
  if (first >= 0xf1 && first <= 0xf3) return {3, 0x80, 0xbf};
  if (first == 0xf4) return {3, 0x80, 0x8f};
  return {1, 1, 0};  // no second byte will do
}

// Appends the characters of `text` to `out` and returns the size of an unfinished end, which it
// leaves out.
size_t AppendCharacters(std::string_view text, std::string* out, size_t* replaced) {
  while (!text.empty()) {
    const Utf8Step step = NextUtf8(text);
    if (step.kind == Utf8Step::kUnfinished) return step.size;
    if (step.kind == Utf8Step::kCharacter) {
      out->append(text.substr(0, step.size));
    } else {
      out->append(kReplacement);
      if (replaced) ++*replaced;
    }
    text.remove_prefix(step.size);
  }
  return 0;
}

}  // namespace

Utf8Step NextUtf8(std::string_view text) {
  Row row = RowFor(static_cast<uint8_t>(text[0]));
  if (row.low > row.high) return {Utf8Step::kBroken, 1};
  for (size_t i = 1; i <= row.following; ++i) {
    if (i == text.size()) return {Utf8Step::kUnfinished, i};
    const uint8_t byte = static_cast<uint8_t>(text[i]);
    if (byte < row.low || byte > row.high) return {Utf8Step::kBroken, i};
    row.low = 0x80;
    row.high = 0xbf;
  }
  return {Utf8Step::kCharacter, row.following + 1};
}

bool IsUtf8(std::string_view text) {
  while (!text.empty()) {
    const Utf8Step step = NextUtf8(text);
    if (step.kind != Utf8Step::kCharacter) return false;
    text.remove_prefix(step.size);
  }
  return true;
}

std::string ReplaceBrokenUtf8(std::string_view text, size_t* replaced) {
  std::string out;
  out.reserve(text.size());
  if (AppendCharacters(text, &out, replaced) > 0) {
    out.append(kReplacement);
    if (replaced) ++*replaced;
  }
  return out;
}

std::string Utf8Stream::Feed(std::string_view bytes) {
  unfinished_.append(bytes);
  std::string out;
  const size_t rest = AppendCharacters(unfinished_, &out, nullptr);
  unfinished_.erase(0, unfinished_.size() - rest);
  return out;
}

std::string Utf8Stream::Finish() {
  const bool cut = !unfinished_.empty();
  unfinished_.clear();
  return std::string(cut ? kReplacement : "");
}

}  // namespace bitfetch
