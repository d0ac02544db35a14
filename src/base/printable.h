// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_BASE_PRINTABLE_H_
#define BITFETCH_BASE_PRINTABLE_H_

#include <cstddef>
#include <string>
#include <string_view>

namespace bitfetch {

// Whether every byte is a printable ASCII character (a space included).
bool IsPrintableAscii(std::string_view text);

// Text that fits into one line of a terminal: control bytes as \xNN, UTF-8 as it is.
std::string OneLine(std::string_view text);

// Text from outside, safe inside a one-line error: other bytes as \xNN, and cut after `limit` bytes
// with "...".
std::string Printable(std::string_view text, size_t limit = 80);

}  // namespace bitfetch

#endif  // BITFETCH_BASE_PRINTABLE_H_
