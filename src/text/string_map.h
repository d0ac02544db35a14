// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_TEXT_STRING_MAP_H_
#define BITFETCH_TEXT_STRING_MAP_H_

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace bitfetch {

struct StringHash {
  using is_transparent = void;
  size_t operator()(std::string_view s) const { return std::hash<std::string_view>()(s); }
};

// A hash table by strings, in which a view is looked up without a copy.
template <class T>
using StringMap = std::unordered_map<std::string, T, StringHash, std::equal_to<>>;

}  // namespace bitfetch

#endif  // BITFETCH_TEXT_STRING_MAP_H_
