// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_BASE_JSON_VALUE_H_
#define BITFETCH_BASE_JSON_VALUE_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/error.h"

namespace bitfetch {

struct JsonMember;

// A JSON document that can be given up when memory has run out: nlohmann's own tree allocates in
// its destructor, which then ends the program.
struct JsonValue {
  using List = std::vector<JsonValue>;
  using Object = std::vector<JsonMember>;  // in the text's order

  // Nothing is null. A whole number beyond int64_t is a double.
  std::variant<std::monostate, bool, int64_t, double, std::string, List, Object> value;

  template <class T>
  const T* As() const {
    return std::get_if<T>(&value);
  }

  // A member of an object, after a look at all before it. Null where this is no object, has no such
  // member, or has null there.
  const JsonValue* Find(std::string_view key) const;
  // The same where it is a T.
  template <class T>
  const T* Find(std::string_view key) const {
    const JsonValue* member = Find(key);
    return member == nullptr ? nullptr : member->As<T>();
  }
  // Whether such a member is true; `otherwise` where it is no truth value.
  bool IsTrue(std::string_view key, bool otherwise = false) const {
    const bool* is = Find<bool>(key);
    return is == nullptr ? otherwise : *is;
  }
};

struct JsonMember {
  std::string key;
  JsonValue value;
};

struct JsonLimits {
  size_t max_depth = 16;
  size_t max_values = 3'000'000;   // which take 0.5 GB
  bool refuses_repetition = true;  // of a key in one object; else the last one counts
};

// Errors, as what follows the document's name: no JSON (bytes that are no UTF-8 and numbers beyond
// a double among that), or beyond a limit.
Result<JsonValue> ParseJson(std::string_view text, const JsonLimits& limits = {});

// The document in a file of at most 64 MiB, which is more than any tokenizer has. Errors name the
// file.
Result<JsonValue> ReadJsonFile(const std::string& path);

// `text` as a JSON string, with its quotes. What is no UTF-8 becomes U+FFFD.
std::string QuoteJson(std::string_view text);

// A value as JSON in one line, with a space behind commas and colons, as Python writes it.
std::string WriteJson(const JsonValue& value);

}  // namespace bitfetch

#endif  // BITFETCH_BASE_JSON_VALUE_H_
