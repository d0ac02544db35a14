// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_TEXT_JINJA_PREDICATES_H_
#define BITFETCH_TEXT_JINJA_PREDICATES_H_

#include <string_view>

#include "base/error.h"
#include "text/jinja/value.h"
#include "text/jinja/work.h"

namespace bitfetch::jinja {

// value is name; `argument` is what "eq" and "equalto" compare with. Errors: a test that is not
// known or not for such a value.
Result<bool> ApplyTest(std::string_view name, const Value& value, const Value& argument,
                       Work& work);

}  // namespace bitfetch::jinja

#endif  // BITFETCH_TEXT_JINJA_PREDICATES_H_
