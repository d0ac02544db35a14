// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_TEXT_CONSTRAINT_PATTERN_SYNTAX_H_
#define BITFETCH_TEXT_CONSTRAINT_PATTERN_SYNTAX_H_

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "text/constraint/char_set.h"

namespace bitfetch {

// What a regular expression is made of.
struct PatternPart {
  enum Kind : uint8_t { kCharacter, kBegin, kEnd, kSequence, kEither, kRepeat };
  static constexpr int kUnbounded = -1;

  Kind kind;
  CharSet set = {};                     // of a kCharacter
  std::vector<PatternPart> parts = {};  // of the last three, of a kRepeat one
  int min = 0;                          // of a kRepeat
  int max = 0;
};

// Errors are those of Pattern::Parse, but for its size.
Result<PatternPart> ParsePattern(std::string_view pattern);

}  // namespace bitfetch

#endif  // BITFETCH_TEXT_CONSTRAINT_PATTERN_SYNTAX_H_
