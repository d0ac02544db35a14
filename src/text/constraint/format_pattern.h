// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_TEXT_CONSTRAINT_FORMAT_PATTERN_H_
#define BITFETCH_TEXT_CONSTRAINT_FORMAT_PATTERN_H_

#include <string_view>

namespace bitfetch {

// A pattern of strings that are of one of JSON Schema's formats: all of them but for rare forms.
// Empty: the format is not supported.
std::string_view FormatPattern(std::string_view format);

}  // namespace bitfetch

#endif  // BITFETCH_TEXT_CONSTRAINT_FORMAT_PATTERN_H_
