// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_TEXT_CONSTRAINT_PATTERN_H_
#define BITFETCH_TEXT_CONSTRAINT_PATTERN_H_

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "text/constraint/char_set.h"

namespace bitfetch {

// A regular expression as a nondeterministic automaton over characters (Thompson, 1968): ECMA-262's
// syntax, as JSON Schema has it, which finds its match anywhere in a text. Not supported are what
// looks around (assertions other than ^ and $ at the ends of alternatives), back references and
// classes of Unicode properties.
class Pattern {
 public:
  static constexpr size_t kMaxNodes = 10'000;

  // Errors are what follows the pattern: what of it is wrong, not supported or too large.
  static Result<Pattern> Parse(std::string_view pattern);

  struct Node {
    enum Kind : uint8_t { kCharacter, kEither, kEnd };
    Kind kind;
    int next = -1;   // behind a character of `set`, or one of two
    int other = -1;  // the other one; -1: there is none
    CharSet set = {};
  };
  const std::vector<Node>& nodes() const { return nodes_; }
  int start() const { return start_; }

 private:
  std::vector<Node> nodes_;
  int start_ = 0;
};

}  // namespace bitfetch

#endif  // BITFETCH_TEXT_CONSTRAINT_PATTERN_H_
