// SPDX-License-Identifier: Apache-2.0
#include "text/byte_alphabet.h"

#include <array>
#include <cstddef>

namespace bitfetch {
namespace {

constexpr int kAlphabetEnd = 0x144;  // behind the last character: all take at most two bytes

struct Alphabet {
  std::array<int, 256> character_of;
  std::array<int, kAlphabetEnd> byte_of;  // -1: none
};

constexpr Alphabet kAlphabet = [] {
  Alphabet alphabet{};
  alphabet.byte_of.fill(-1);
  int next = 0x100;
  for (int byte = 0; byte < 256; ++byte) {
    const bool printable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte != 0xad);
    const int character = printable ? byte : next++;
    alphabet.character_of[byte] = character;
    alphabet.byte_of[character] = byte;
  }
  return alphabet;
}();

}  // namespace

std::string ToByteAlphabet(std::string_view bytes) {
  std::string text;
  for (const char byte : bytes) {
    const int character = kAlphabet.character_of[static_cast<unsigned char>(byte)];
    if (character < 0x80) {
      text.push_back(static_cast<char>(character));
    } else {
      text.push_back(static_cast<char>(0xc0 | character >> 6));
      text.push_back(static_cast<char>(0x80 | (character & 0x3f)));
    }
  }
  return text;
}

std::optional<std::string> FromByteAlphabet(std::string_view text) {
  std::string bytes;
  for (size_t i = 0; i < text.size();) {
    const int first = static_cast<unsigned char>(text[i]);
    int character = first;
    if (first >= 0x80) {
      const bool two_bytes = (first & 0xe0) == 0xc0 && i + 1 < text.size() &&
                             (static_cast<unsigned char>(text[i + 1]) & 0xc0) == 0x80;
      if (!two_bytes) return std::nullopt;
      character = (first & 0x1f) << 6 | (static_cast<unsigned char>(text[i + 1]) & 0x3f);
    }
    if (character >= kAlphabetEnd || kAlphabet.byte_of[character] < 0) return std::nullopt;
    bytes.push_back(static_cast<char>(kAlphabet.byte_of[character]));
    i += first < 0x80 ? 1 : 2;
  }
  return bytes;
}

}  // namespace bitfetch
