// SPDX-License-Identifier: Apache-2.0
#include "base/printable.h"

#include <fmt/core.h>

#include <algorithm>

namespace bitfetch {
namespace {

bool IsPrintable(char c) { return c >= 0x20 && c <= 0x7e; }

// The bytes of the character that `text` begins with; 1 where they are none.
size_t CharacterSize(std::string_view text) {
  const auto first = static_cast<unsigned char>(text[0]);
  const size_t size = first < 0xc2 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 1;
  for (size_t i = 1; i < size; ++i) {
    if (i == text.size() || (text[i] & 0xc0) != 0x80) return 1;
  }
  return size;
}

bool IsControl(std::string_view character) {
  const auto last = static_cast<unsigned char>(character.back());
  const bool c1 = last >= 0x80 && last < 0xa0;
  if (character.size() == 1) return last < 0x20 || last == 0x7f || c1;
  return character.size() == 2 && character[0] == '\xc2' && c1;
}

// All bytes of characters that are not to be kept as \xNN. `keep` gets a character and what
// follows.
template <class Keep>
std::string Escaped(std::string_view text, Keep keep) {
  std::string out;
  while (!text.empty()) {
    const std::string_view character = text.substr(0, CharacterSize(text));
    text.remove_prefix(character.size());
    if (keep(character, text)) {
      out += character;
      continue;
    }
    for (const char c : character) {
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

}  // namespace

bool IsPrintableAscii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), IsPrintable);
}

std::string WithoutControls(std::string_view text) {
  return Escaped(text, [](std::string_view character, std::string_view rest) {
    const char first = character[0];
    // A carriage return by itself would let what follows hide the line.
    return !IsControl(character) || first == '\n' || first == '\t' ||
           (first == '\r' && rest.starts_with('\n'));
  });
}

std::string OneLine(std::string_view text) {
  return Escaped(
      text, [](std::string_view character, std::string_view) { return !IsControl(character); });
}

std::string Printable(std::string_view text, size_t limit) {
  std::string out = Escaped(
      text.substr(0, limit),
      [](std::string_view character, std::string_view) { return IsPrintableAscii(character); });
  if (text.size() > limit) out += "...";
  return out;
}

}  // namespace bitfetch
