// SPDX-License-Identifier: Apache-2.0
// What templates do to texts, with JavaScript's ideas of white space and length. Letters change
// their case in ASCII alone.
#ifndef BITFETCH_TEXT_JINJA_TEXT_H_
#define BITFETCH_TEXT_JINJA_TEXT_H_

#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "text/jinja/traced_text.h"
#include "text/jinja/value.h"
#include "text/jinja/work.h"

namespace bitfetch::jinja {

TracedText TrimmedLeft(const TracedText& text);
TracedText TrimmedRight(const TracedText& text);
TracedText Upper(const TracedText& text);
TracedText Lower(const TracedText& text);
TracedText Title(const TracedText& text);        // the first letter of each word is large
TracedText Capitalized(const TracedText& text);  // the first character is

// In units of UTF-16, as JavaScript counts.
size_t LengthOf(std::string_view text);
// Where each character begins.
std::vector<size_t> Characters(std::string_view text);

// Where `wanted` is in `text`, from `from` on; npos: nowhere. Takes as long as the two are,
// whatever they are, as std::string::find does not.
size_t FindText(std::string_view text, std::string_view wanted, size_t from = 0);

// The first `count` of what is `old`, or all. An empty one is before each character and at the end.
Result<TracedText> Replaced(const TracedText& text, std::string_view old, const TracedText& by,
                            std::optional<size_t> count, Work& work);
// The parts between separators, of which the first `count` or all are looked at; without a
// separator those between white space.
Result<std::vector<Value>> Split(const TracedText& text, std::optional<std::string_view> separator,
                                 std::optional<size_t> count, Work& work);
// Spaces before each line; before the first and before empty ones only if asked for.
Result<TracedText> Indented(const TracedText& text, double width, bool first, bool blank,
                            Work& work);

}  // namespace bitfetch::jinja

#endif  // BITFETCH_TEXT_JINJA_TEXT_H_
