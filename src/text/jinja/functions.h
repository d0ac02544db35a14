// SPDX-License-Identifier: Apache-2.0
// The functions that every template has, but for those that need its renderer.
#ifndef BITFETCH_TEXT_JINJA_FUNCTIONS_H_
#define BITFETCH_TEXT_JINJA_FUNCTIONS_H_

#include "base/error.h"
#include "text/jinja/arguments.h"
#include "text/jinja/value.h"
#include "text/jinja/work.h"

namespace bitfetch::jinja {

// range(stop), range(start, stop), range(start, stop, step).
Result<Value> Range(const Arguments& arguments, Work& work);

// strftime_now(format): the local time, in English; %Y %m %d %b %B %H %M and %%, others as they
// are.
Result<Value> StrftimeNow(const Arguments& arguments, Work& work);

// raise_exception(message): an error with this message.
Result<Value> RaiseException(const Arguments& arguments, Work& work);

}  // namespace bitfetch::jinja

#endif  // BITFETCH_TEXT_JINJA_FUNCTIONS_H_
