// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_TEXT_CONSTRAINT_JSON_GRAMMAR_H_
#define BITFETCH_TEXT_CONSTRAINT_JSON_GRAMMAR_H_

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/json_value.h"
#include "text/constraint/char_set.h"
#include "text/constraint/grammar.h"
#include "text/constraint/pattern.h"

namespace bitfetch {

// Adds JSON to a grammar. Each string is spelt in one way, as QuoteJson spells it: nothing is
// escaped that need not be. Integers have up to 18 digits, fractions up to 17, exponents up to 2.
// White space is none, a space or a new line with up to 20 spaces, where such may stand beside
// brackets and behind commas, and none or a space behind colons, so that it comes to an end.
class JsonGrammar {
 public:
  using NodeId = Grammar::NodeId;
  static constexpr uint32_t kMaxDigits = 18;  // of integers, so that they are int64_t

  explicit JsonGrammar(GrammarBuilder* builder) : builder_(*builder) {}

  NodeId Space(NodeId next);
  NodeId Comma(NodeId next) { return builder_.Literal(",", Space(next)); }
  NodeId Colon(NodeId next);

  // A value of this document, with white space where it is.
  NodeId Constant(const JsonValue& value, NodeId next);
  // Any of these.
  NodeId Constants(std::vector<std::string> texts, NodeId next);

  NodeId AnyValue(NodeId next);
  NodeId AnyObject(NodeId next);
  NodeId AnyArray(NodeId next);
  NodeId Bool(NodeId next);
  NodeId Integer(NodeId next);
  NodeId Number(NodeId next);
  // [min .. max], of kMaxDigits at most.
  NodeId IntegerWithin(int64_t min, int64_t max, NodeId next);
  // Between whole numbers, themselves included or not; without an exponent.
  struct Bound {
    int64_t value;
    bool belongs;
  };
  NodeId NumberWithin(Bound min, Bound max, NodeId next);
  // [min .. max] characters.
  NodeId String(uint32_t min, uint32_t max, NodeId next);

  // A string that matches, of [min .. max] characters.
  NodeId Matching(const Pattern& pattern, uint32_t min, uint32_t max, NodeId next);
  // A string that is none of these.
  NodeId OtherString(const std::set<std::u32string>& names, NodeId next);

 private:
  // Within a string, one character of `set`.
  NodeId Character(const CharSet& set, NodeId next);
  NodeId Digits(uint32_t min, uint32_t max, NodeId next);
  NodeId WholeWithin(int64_t min, int64_t max, NodeId next);
  NodeId DigitsWithin(std::string_view min, std::string_view max, NodeId next);
  NodeId MagnitudeWithin(Bound min, Bound max, NodeId next);
  NodeId AnyCharacter();
  NodeId Controls();
  NodeId NotAscii();
  NodeId Other(std::set<std::u32string>::const_iterator first,
               std::set<std::u32string>::const_iterator last, size_t depth, NodeId next);

  GrammarBuilder& builder_;
  // Parts that are the same everywhere; kNone: not there yet.
  NodeId digit_ = Grammar::kNone;
  NodeId indent_ = Grammar::kNone;
  NodeId character_ = Grammar::kNone;
  NodeId control_ = Grammar::kNone;
  NodeId not_ascii_ = Grammar::kNone;
  NodeId value_ = Grammar::kNone;
};

}  // namespace bitfetch

#endif  // BITFETCH_TEXT_CONSTRAINT_JSON_GRAMMAR_H_
