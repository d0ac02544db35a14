// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_TEXT_JINJA_FILTERS_H_
#define BITFETCH_TEXT_JINJA_FILTERS_H_

#include <string_view>

#include "base/error.h"
#include "text/jinja/arguments.h"
#include "text/jinja/value.h"
#include "text/jinja/work.h"

namespace bitfetch::jinja {

// value | name(arguments). Errors: a filter that is not known, or not for such a value or such
// arguments.
Result<Value> ApplyFilter(std::string_view name, const Value& value, const Arguments& arguments,
                          Work& work);

}  // namespace bitfetch::jinja

#endif  // BITFETCH_TEXT_JINJA_FILTERS_H_
