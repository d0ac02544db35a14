// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_TEXT_JINJA_OPERATORS_H_
#define BITFETCH_TEXT_JINJA_OPERATORS_H_

#include <optional>
#include <string_view>

#include "base/error.h"
#include "text/jinja/value.h"
#include "text/jinja/work.h"

namespace bitfetch::jinja {

// not, -, +.
Result<Value> ApplyUnary(std::string_view name, const Value& value);

// Comparisons, in, not in, + - * / // % and ~, which joins texts. Errors: what the operator is not
// for.
Result<Value> ApplyBinary(std::string_view name, const Value& a, const Value& b, Work& work);

// value[key] and value.key: an entry, an item or a character (from the end where negative), or else
// an attribute; undefined where there is none. An error: no such key can be.
Result<Value> MemberOf(const Value& value, const Value& key, Work& work);

// value[start:stop:step] of a list or of a text's characters.
Result<Value> SliceOf(const Value& value, std::optional<double> start, std::optional<double> stop,
                      std::optional<double> step, Work& work);

}  // namespace bitfetch::jinja

#endif  // BITFETCH_TEXT_JINJA_OPERATORS_H_
