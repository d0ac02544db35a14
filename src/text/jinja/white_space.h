// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_TEXT_JINJA_WHITE_SPACE_H_
#define BITFETCH_TEXT_JINJA_WHITE_SPACE_H_

#include <cstddef>
#include <string_view>

namespace bitfetch::jinja {

// What JavaScript's trim() takes away: ASCII's white space, Unicode's spaces (category Zs), the
// line and paragraph separators and U+FEFF.

// How many bytes of it `text` begins with, or ends in.
size_t LeadingWhiteSpace(std::string_view text);
size_t TrailingWhiteSpace(std::string_view text);
// Where the first of it is; the text's size where there is none.
size_t FindWhiteSpace(std::string_view text);

}  // namespace bitfetch::jinja

#endif  // BITFETCH_TEXT_JINJA_WHITE_SPACE_H_
