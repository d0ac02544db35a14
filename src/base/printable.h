// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_BASE_PRINTABLE_H_
#define BITFETCH_BASE_PRINTABLE_H_

#include <cstddef>
#include <string>
#include <string_view>

namespace bitfetch {

// Whether every byte is a printable ASCII character (a space included).
bool IsPrintableAscii(std::string_view text);

// Text that a terminal shows and does not obey: control characters (C0, DEL, and C1 as UTF-8 or as
// single bytes) as \xNN for each byte; line ends, tabs and the rest of UTF-8 as they are.
std::string WithoutControls(std::string_view text);

// The same in one line: line ends and tabs as \xNN too.
std::string OneLine(std::string_view text);

// Text from outside, safe inside a one-line error: other bytes as \xNN, and cut after `limit` bytes
// with "...".
std::string Printable(std::string_view text, size_t limit = 80);

}  // namespace bitfetch

#endif  // BITFETCH_BASE_PRINTABLE_H_
