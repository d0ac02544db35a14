// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_TEXT_JINJA_LEXER_H_
#define BITFETCH_TEXT_JINJA_LEXER_H_

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace bitfetch::jinja {

struct Token {
  enum Kind {
    kText,            // between tags
    kOpenPrint,       // {{
    kClosePrint,      // }}
    kOpenStatement,   // {%
    kCloseStatement,  // %}
    kName,            // words and names alike
    kNumber,
    kString,  // its escapes are read
    kSymbol,  // operators and brackets
    kEnd,
  };
  Kind kind;
  std::string text;
  int line;
};

// A template as tokens; kEnd is the last. White space around tags is taken away as Hugging Face
// has it: where a tag asks for it by its '-', before a statement or a comment that begins a line,
// and one line end after either (Jinja's lstrip_blocks and trim_blocks); one line end at the
// template's end. Errors name the line.
Result<std::vector<Token>> Tokenize(std::string_view source);

}  // namespace bitfetch::jinja

#endif  // BITFETCH_TEXT_JINJA_LEXER_H_
