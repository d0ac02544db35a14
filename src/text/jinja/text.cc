// SPDX-License-Identifier: Apache-2.0
#include "text/jinja/text.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include "base/utf8.h"
#include "text/jinja/white_space.h"

namespace bitfetch::jinja {
namespace {

char UpperByte(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; }
char LowerByte(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
bool IsWordByte(char c) {
  return (LowerByte(c) >= 'a' && LowerByte(c) <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

// Where `wanted` is in `text`, at most `count` times.
std::vector<size_t> Places(std::string_view text, std::string_view wanted,
                           std::optional<size_t> count) {
  std::vector<size_t> places;
  for (size_t at = 0; places.size() != count;) {
    at = FindText(text, wanted, at);
    if (at == std::string_view::npos) break;
    places.push_back(at);
    if (!wanted.empty()) {
      at += wanted.size();
    } else if (at < text.size()) {
      at += NextUtf8(text.substr(at)).size;
    } else {
      break;
    }
  }
  return places;
}

}  // namespace

TracedText TrimmedLeft(const TracedText& text) {
  return text.Slice(LeadingWhiteSpace(text.bytes()));
}

TracedText TrimmedRight(const TracedText& text) {
  return text.Slice(0, text.size() - TrailingWhiteSpace(text.bytes()));
}

TracedText Upper(const TracedText& text) { return text.Mapped(UpperByte); }

TracedText Lower(const TracedText& text) { return text.Mapped(LowerByte); }

TracedText Title(const TracedText& text) {
  bool in_word = false;
  return text.Mapped(
      [&](char c) { return std::exchange(in_word, IsWordByte(c)) ? c : UpperByte(c); });
}

TracedText Capitalized(const TracedText& text) {
  bool is_first = true;
  return text.Mapped([&](char c) { return std::exchange(is_first, false) ? UpperByte(c) : c; });
}

size_t LengthOf(std::string_view text) {
  size_t length = 0;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    length += (byte & 0xc0) != 0x80;
    length += byte >= 0xf0;  // a pair of surrogates
  }
  return length;
}

std::vector<size_t> Characters(std::string_view text) {
  std::vector<size_t> characters;
  for (size_t at = 0; at < text.size(); at += NextUtf8(text.substr(at)).size) {
    characters.push_back(at);
  }
  return characters;
}

size_t FindText(std::string_view text, std::string_view wanted, size_t from) {
  const void* found = memmem(text.data() + from, text.size() - from, wanted.data(), wanted.size());
  if (found == nullptr) return std::string_view::npos;
  return static_cast<size_t>(static_cast<const char*>(found) - text.data());
}

Result<TracedText> Replaced(const TracedText& text, std::string_view old, const TracedText& by,
                            std::optional<size_t> count, Work& work) {
  const std::vector<size_t> places = Places(text.bytes(), old, count);
  BITFETCH_RETURN_IF_ERROR(work.Spend(places.size()));
  BITFETCH_RETURN_IF_ERROR(
      work.SpendOnText(text.size() + places.size() * by.size() - places.size() * old.size()));
  TracedText result;
  size_t done = 0;
  for (const size_t at : places) {
    result.Append(text.Slice(done, at - done));
    result.Append(by);
    done = at + old.size();
  }
  result.Append(text.Slice(done));
  return result;
}

Result<std::vector<Value>> Split(const TracedText& text, std::optional<std::string_view> separator,
                                 std::optional<size_t> count, Work& work) {
  BITFETCH_RETURN_IF_ERROR(work.SpendOnText(text.size()));
  std::vector<Value> parts;
  const std::string_view bytes = text.bytes();
  if (separator) {
    if (separator->empty()) return Fail("the separator is empty");
    const std::vector<size_t> places = Places(bytes, *separator, count);
    BITFETCH_RETURN_IF_ERROR(work.Spend(places.size()));
    size_t done = 0;
    for (const size_t at : places) {
      parts.emplace_back(text.Slice(done, at - done));
      done = at + separator->size();
    }
    parts.emplace_back(text.Slice(done));
    return parts;
  }
  for (size_t at = 0; (at += LeadingWhiteSpace(bytes.substr(at))) < bytes.size();) {
    BITFETCH_RETURN_IF_ERROR(work.Spend(1));
    const bool is_last = parts.size() == count;
    const size_t size = is_last ? bytes.size() - at : FindWhiteSpace(bytes.substr(at));
    parts.emplace_back(text.Slice(at, size));
    at += size;
  }
  return parts;
}

Result<TracedText> Indented(const TracedText& text, double width, bool first, bool blank,
                            Work& work) {
  const std::string_view bytes = text.bytes();
  const auto lines = static_cast<double>(1 + std::ranges::count(bytes, '\n'));
  const double spaces =
      width > 0 ? std::min(width, static_cast<double>(Work::kMaxTextBytes)) : 0;  // NaN too
  BITFETCH_RETURN_IF_ERROR(work.Spend(static_cast<size_t>(lines)));
  BITFETCH_RETURN_IF_ERROR(work.SpendOnText(text.size() + static_cast<size_t>(lines * spaces)));
  const TracedText indent(std::string(static_cast<size_t>(spaces), ' '),
                          TracedText::Author::kTemplate);
  TracedText result;
  for (size_t at = 0; at <= bytes.size();) {
    const size_t end = std::min(bytes.find('\n', at), bytes.size());
    if ((first || at > 0) && (blank || end > at)) result.Append(indent);
    result.Append(text.Slice(at, end + 1 - at));
    at = end + 1;
  }
  return result;
}

}  // namespace bitfetch::jinja
