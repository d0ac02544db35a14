// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_TEXT_JINJA_METHODS_H_
#define BITFETCH_TEXT_JINJA_METHODS_H_

#include <string_view>

#include "base/error.h"
#include "text/jinja/arguments.h"
#include "text/jinja/value.h"
#include "text/jinja/work.h"

namespace bitfetch::jinja {

// value.name, where that is no entry: a text's or a list's length, a method to be called, or
// undefined.
Value AttributeOf(const Value& value, std::string_view name);

// value.name(arguments). An error: arguments that it does not take.
Result<Value> CallMethod(const Function& method, const Arguments& arguments, Work& work);

// A dict's entries as lists of two.
Value Items(const Dict& dict);

}  // namespace bitfetch::jinja

#endif  // BITFETCH_TEXT_JINJA_METHODS_H_
