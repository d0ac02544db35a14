// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_TEXT_JINJA_EXPRESSIONS_H_
#define BITFETCH_TEXT_JINJA_EXPRESSIONS_H_

#include "base/error.h"
#include "text/jinja/syntax.h"
#include "text/jinja/token_cursor.h"

namespace bitfetch::jinja {

// The expression that comes next, with the precedence that Hugging Face's parsers have: from
// loosest to tightest if, or, and, not, comparisons and in, + - ~, * / // %, is, |, signs, calls
// and members. Errors name the line; more than 200 levels of anything, or 100 of brackets, are one.
Result<ExpressionPointer> ParseExpression(TokenCursor& tokens);

// The same, or a list of several with commas between.
Result<ExpressionPointer> ParseSequence(TokenCursor& tokens);

}  // namespace bitfetch::jinja

#endif  // BITFETCH_TEXT_JINJA_EXPRESSIONS_H_
