// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_TEXT_BYTE_ALPHABET_H_
#define BITFETCH_TEXT_BYTE_ALPHABET_H_

#include <optional>
#include <string>
#include <string_view>

namespace bitfetch {

// GPT-2's byte alphabet writes each byte as one printable character: itself where it is printable
// in Latin-1, otherwise the next free one from U+0100 on (a space is "Ġ").
std::string ToByteAlphabet(std::string_view bytes);

// The bytes that a text stands for; none if it has a character outside the alphabet.
std::optional<std::string> FromByteAlphabet(std::string_view text);

}  // namespace bitfetch

#endif  // BITFETCH_TEXT_BYTE_ALPHABET_H_
