// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_MACHINE_JSON_VALUE_H_
#define BITFETCH_MACHINE_JSON_VALUE_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace bitfetch {

// A JSON document that can be given up when memory has run out: nlohmann's own tree allocates in
// its destructor, which then ends the program.
struct JsonValue {
  using List = std::vector<JsonValue>;
  using Object = std::map<std::string, JsonValue, std::less<>>;

  // Nothing is null. A whole number beyond int64_t is a double.
  std::variant<std::monostate, bool, int64_t, double, std::string, List, Object> value;

  template <class T>
  const T* As() const {
    return std::get_if<T>(&value);
  }
};

// Nothing if `text` is no JSON, or nested more than 16 deep.
std::optional<JsonValue> ParseJson(std::string_view text);

// `text` as a JSON string, with its quotes. What is no UTF-8 becomes U+FFFD.
std::string QuoteJson(std::string_view text);

}  // namespace bitfetch

#endif  // BITFETCH_MACHINE_JSON_VALUE_H_
