// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_TEXT_JINJA_PARSER_H_
#define BITFETCH_TEXT_JINJA_PARSER_H_

#include <string_view>

#include "base/error.h"
#include "text/jinja/syntax.h"

namespace bitfetch::jinja {

// What a template says to do. Errors name the line: what is no Jinja, or none that is covered; more
// than 1 MiB, expressions or blocks too deep within each other (100 levels).
Result<Block> Parse(std::string_view source);

}  // namespace bitfetch::jinja

#endif  // BITFETCH_TEXT_JINJA_PARSER_H_
