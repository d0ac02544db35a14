// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_TEXT_JINJA_JSON_H_
#define BITFETCH_TEXT_JINJA_JSON_H_

#include <string>

#include "base/error.h"
#include "text/jinja/value.h"
#include "text/jinja/work.h"

namespace bitfetch::jinja {

struct JsonOptions {
  size_t indent = 0;  // spaces a level, each value on a line of its own; 0: all on one line
  std::string between_items = ", ";
  std::string after_key = ": ";
  std::string undefined = "null";
};

// A value as the filter `tojson` writes it: numbers as JavaScript's, every character as it is but
// for those that JSON escapes. The whole counts as somebody else's text. Errors: functions, which
// have no JSON; what costs too much.
Result<TracedText> ToJson(const Value& value, const JsonOptions& options, Work& work);

}  // namespace bitfetch::jinja

#endif  // BITFETCH_TEXT_JINJA_JSON_H_
