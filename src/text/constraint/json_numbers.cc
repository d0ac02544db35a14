// SPDX-License-Identifier: Apache-2.0
// Numbers within bounds.
#include <algorithm>
#include <string>

#include "text/constraint/json_grammar.h"

namespace bitfetch {

using NodeId = Grammar::NodeId;

NodeId JsonGrammar::IntegerWithin(int64_t min, int64_t max, NodeId next) {
  NodeId negative = Grammar::kNone;
  if (min < 0) negative = WholeWithin(std::max<int64_t>(-max, 0), -min, next);
  return builder_.Either(WholeWithin(std::max<int64_t>(min, 0), max, next),
                         builder_.Literal("-", negative));
}

NodeId JsonGrammar::NumberWithin(Bound min, Bound max, NodeId next) {
  NodeId positive = Grammar::kNone;
  NodeId negative = Grammar::kNone;
  constexpr Bound kZero{.value = 0, .belongs = true};
  if (max.value >= 0) positive = MagnitudeWithin(min.value >= 0 ? min : kZero, max, next);
  if (min.value < 0) {
    const Bound min_magnitude = max.value > 0 ? kZero : Bound{-max.value, max.belongs};
    negative = MagnitudeWithin(min_magnitude, {-min.value, min.belongs}, next);
  }
  return builder_.Either(positive, builder_.Literal("-", negative));
}

NodeId JsonGrammar::MagnitudeWithin(Bound min, Bound max, NodeId next) {
  const NodeId fraction = builder_.Either(next, builder_.Literal(".", Digits(1, 17, next)));
  NodeId any = WholeWithin(min.value + !min.belongs, max.value - 1, fraction);
  if (!min.belongs && min.value < max.value) {
    const NodeId zero = builder_.Literal("0", GrammarBuilder::kReturn);
    const NodeId above = builder_.Byte('1', '9', Digits(0, 8, next));
    any = builder_.Either(any,
                          WholeWithin(min.value, min.value,
                                      builder_.Literal(".", builder_.Repeat(zero, 0, 8, above))));
  }
  if (max.belongs && (min.belongs || min.value < max.value) && min.value <= max.value) {
    any = builder_.Either(any, WholeWithin(max.value, max.value, next));
  }
  return any;
}

// 0 <= min. Those with one number of digits at a time, but for numbers of digits of which all are
// within.
NodeId JsonGrammar::WholeWithin(int64_t min, int64_t max, NodeId next) {
  NodeId any = Grammar::kNone;
  uint32_t first_free = 0;
  uint32_t last_free = 0;
  int64_t begin = 0;
  int64_t end = 10;
  for (uint32_t size = 1;; ++size) {
    if (size > 1 && min <= begin && max >= end - 1) {
      if (first_free == 0) first_free = size;
      last_free = size;
    } else if (begin <= max && min < end) {
      any = builder_.Either(any, DigitsWithin(std::to_string(std::max(min, begin)),
                                              std::to_string(std::min(max, end - 1)), next));
    }
    if (size == kMaxDigits) break;
    begin = end;
    end *= 10;
  }
  if (first_free == 0) return any;
  const NodeId free = Digits(first_free - 1, last_free - 1, next);
  return builder_.Either(any, builder_.Byte('1', '9', free));
}

// Of equally many digits.
NodeId JsonGrammar::DigitsWithin(std::string_view min, std::string_view max, NodeId next) {
  const auto count = static_cast<uint32_t>(min.size());
  const bool has_all =
      min.find_first_not_of('0') == min.npos && max.find_first_not_of('9') == max.npos;
  if (has_all) return count == 0 ? next : Digits(count, count, next);
  const auto digit = [](char c) { return static_cast<uint8_t>(c); };
  const std::string_view min_rest = min.substr(1);
  const std::string_view max_rest = max.substr(1);
  if (min[0] == max[0]) {
    return builder_.Byte(digit(min[0]), digit(min[0]), DigitsWithin(min_rest, max_rest, next));
  }
  const std::string zeros(count - 1, '0');
  const std::string nines(count - 1, '9');
  NodeId any = builder_.Either(
      builder_.Byte(digit(min[0]), digit(min[0]), DigitsWithin(min_rest, nines, next)),
      builder_.Byte(digit(max[0]), digit(max[0]), DigitsWithin(zeros, max_rest, next)));
  if (max[0] - min[0] > 1) {
    const auto first = static_cast<uint8_t>(min[0] + 1);
    const auto last = static_cast<uint8_t>(max[0] - 1);
    any = builder_.Either(any, builder_.Byte(first, last, DigitsWithin(zeros, nines, next)));
  }
  return any;
}

}  // namespace bitfetch
