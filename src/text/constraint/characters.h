// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_TEXT_CONSTRAINT_CHARACTERS_H_
#define BITFETCH_TEXT_CONSTRAINT_CHARACTERS_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/utf8.h"

namespace bitfetch {

// The characters of a text that is UTF-8.
inline std::u32string Characters(std::string_view text) {
  std::u32string characters;
  for (size_t size; !text.empty(); text.remove_prefix(size)) {
    size = NextUtf8(text).size;
    char32_t c = static_cast<uint8_t>(text[0]) & (size == 1 ? 0x7f : 0x7f >> size);
    for (size_t i = 1; i < size; ++i) c = c << 6 | (static_cast<uint8_t>(text[i]) & 0x3f);
    characters.push_back(c);
  }
  return characters;
}

}  // namespace bitfetch

#endif  // BITFETCH_TEXT_CONSTRAINT_CHARACTERS_H_
