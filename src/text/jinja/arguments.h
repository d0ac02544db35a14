// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_TEXT_JINJA_ARGUMENTS_H_
#define BITFETCH_TEXT_JINJA_ARGUMENTS_H_

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "text/jinja/value.h"

namespace bitfetch::jinja {

// What a filter, a method or a macro is given.
struct Arguments {
  std::vector<Value> positional;
  std::vector<std::pair<std::string, Value>> keywords;

  // The one at `place`, or else of this name; undefined where neither is given.
  Value Get(size_t place, std::string_view name) const {
    return place < positional.size() ? positional[place] : Named(name);
  }
  Value Named(std::string_view name) const {
    for (const auto& [keyword, value] : keywords) {
      if (keyword == name) return value;
    }
    return {};
  }
};

}  // namespace bitfetch::jinja

#endif  // BITFETCH_TEXT_JINJA_ARGUMENTS_H_
