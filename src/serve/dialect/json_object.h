// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_SERVE_DIALECT_JSON_OBJECT_H_
#define BITFETCH_SERVE_DIALECT_JSON_OBJECT_H_

#include <fmt/format.h>

#include <cmath>
#include <concepts>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/json_value.h"

namespace bitfetch {

// A value that is written already.
struct Json {
  std::string text = "null";
};

inline Json ToJson(Json json) { return json; }
inline Json ToJson(std::nullptr_t) { return {}; }
inline Json ToJson(std::string_view text) { return {QuoteJson(text)}; }
inline Json ToJson(std::integral auto number) {
  return {fmt::format("{}", number)};
}  // and true, false
inline Json ToJson(std::floating_point auto number) {
  return std::isfinite(number) ? Json{fmt::format("{}", number)} : Json();
}
inline Json ToJson(std::span<const Json> items) {
  std::string list = "[";
  for (const Json& item : items) {
    if (&item != items.data()) list += ',';
    list += item.text;
  }
  return {list + ']'};
}

// Writes an object, its members in this order: answers are compared byte for byte, and a tree would
// allocate in its destructor.
class JsonObject {
 public:
  // `key` needs no escapes.
  template <class T>
  JsonObject& Add(std::string_view key, T&& value) {
    text_ += text_.empty() ? "{\"" : ",\"";
    text_ += key;
    text_ += "\":";
    text_ += ToJson(std::forward<T>(value)).text;
    return *this;
  }

  // The members of another.
  JsonObject& AddAll(const JsonObject& other) {
    text_ += text_.empty() ? other.text_ : ',' + other.text_.substr(1);
    return *this;
  }

  operator Json() const { return {(text_.empty() ? "{" : text_) + '}'}; }

 private:
  std::string text_;
};

inline Json ToJson(const JsonObject& object) { return object; }

}  // namespace bitfetch

#endif  // BITFETCH_SERVE_DIALECT_JSON_OBJECT_H_
