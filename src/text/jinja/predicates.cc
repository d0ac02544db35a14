// SPDX-License-Identifier: Apache-2.0
#include "text/jinja/predicates.h"

#include <cmath>

#include "base/printable.h"
#include "text/jinja/text.h"

namespace bitfetch::jinja {

Result<bool> ApplyTest(std::string_view name, const Value& value, const Value& argument,
                       Work& work) {
  const bool* truth = value.AsBool();
  const Number* number = value.AsNumber();
  const TracedText* text = value.AsText();
  const bool is_integer = number != nullptr && !number->is_float;

  if (name == "defined") return !value.IsUndefined();
  if (name == "undefined") return value.IsUndefined();
  if (name == "none") return value.IsNone();
  if (name == "string") return text != nullptr;
  if (name == "mapping") return value.AsDict() != nullptr;
  if (name == "iterable") return value.AsList() != nullptr || text != nullptr;
  if (name == "sequence") {
    return value.AsList() != nullptr || value.AsDict() != nullptr || text != nullptr;
  }
  if (name == "boolean") return truth != nullptr;
  if (name == "true") return truth != nullptr && *truth;
  if (name == "false") return truth != nullptr && !*truth;
  if (name == "number") return number != nullptr;
  if (name == "integer") return is_integer;
  if (name == "callable") return value.AsFunction() != nullptr;
  BITFETCH_RETURN_IF_ERROR(work.SpendOnText(text != nullptr ? text->size() : 0));
  if (name == "lower") return text != nullptr && *text == Lower(*text);
  if (name == "upper") return text != nullptr && *text == Upper(*text);
  if (name == "eq" || name == "equalto") return StrictlyEqual(value, argument);
  if (name == "odd" || name == "even") {
    if (!is_integer) return Fail("the test '{}' is not for {}", name, value.TypeName());
    return (std::fmod(number->value, 2) != 0) == (name == "odd");
  }
  return Fail("there is no test '{}'", Printable(name, 40));
}

}  // namespace bitfetch::jinja
