// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_TEXT_CONSTRAINT_TEST_VALIDATOR_H_
#define BITFETCH_TEXT_CONSTRAINT_TEST_VALIDATOR_H_

#include <cmath>
#include <regex>
#include <string>

#include "base/json_value.h"
#include "text/constraint/characters.h"

namespace bitfetch {

// For tests: whether a value meets a schema, keyword by keyword as JSON Schema's text has them, so
// that it shares nothing with what it tests. Formats are taken for met.
class Validator {
 public:
  explicit Validator(const JsonValue& root) : root_(root) {}

  bool Meets(const JsonValue& value) const { return Meets(value, root_); }

 private:
  using Object = JsonValue::Object;
  using List = JsonValue::List;

  static const JsonValue* Get(const JsonValue& object, std::string_view key) {
    for (const auto& [name, value] : *object.As<Object>()) {
      if (name == key) return &value;
    }
    return nullptr;
  }
  static double Number(const JsonValue& value) {
    const int64_t* whole = value.As<int64_t>();
    return whole != nullptr ? static_cast<double>(*whole) : *value.As<double>();
  }
  static bool IsNumber(const JsonValue& value) {
    return value.As<int64_t>() != nullptr || value.As<double>() != nullptr;
  }
  static bool Equal(const JsonValue& a, const JsonValue& b) {
    if (IsNumber(a) && IsNumber(b)) return Number(a) == Number(b);
    return WriteJson(a) == WriteJson(b);
  }
  static bool HasType(const JsonValue& value, const std::string& type) {
    if (type == "object") return value.As<Object>() != nullptr;
    if (type == "array") return value.As<List>() != nullptr;
    if (type == "string") return value.As<std::string>() != nullptr;
    if (type == "boolean") return value.As<bool>() != nullptr;
    if (type == "null") return value.As<std::monostate>() != nullptr;
    if (!IsNumber(value)) return false;
    return type == "number" || Number(value) == std::floor(Number(value));
  }

  static std::wstring Wide(const std::string& text) {
    const std::u32string characters = Characters(text);
    return {characters.begin(), characters.end()};
  }

  int Matching(const JsonValue& value, const JsonValue& schemas) const {
    int count = 0;
    for (const JsonValue& schema : *schemas.As<List>()) count += Meets(value, schema);
    return count;
  }

  bool Meets(const JsonValue& value, const JsonValue& schema) const {
    if (const bool* all = schema.As<bool>()) return *all;
    for (const auto& [keyword, argument] : *schema.As<Object>()) {
      if (!MeetsKeyword(value, schema, keyword, argument)) return false;
    }
    return true;
  }

  bool MeetsKeyword(const JsonValue& value, const JsonValue& schema, const std::string& keyword,
                    const JsonValue& argument) const {
    if (keyword == "$ref") {
      const std::string& name = *argument.As<std::string>();
      if (name == "#") return Meets(value, root_);
      return Meets(value, *Get(*Get(root_, "$defs"), name.substr(std::string("#/$defs/").size())));
    }
    if (keyword == "type") {
      if (const auto* one = argument.As<std::string>()) return HasType(value, *one);
      bool any = false;
      for (const JsonValue& one : *argument.As<List>()) {
        any = any || HasType(value, *one.As<std::string>());
      }
      return any;
    }
    if (keyword == "const") return Equal(value, argument);
    if (keyword == "enum") {
      bool any = false;
      for (const JsonValue& one : *argument.As<List>()) any = any || Equal(value, one);
      return any;
    }
    if (keyword == "anyOf") return Matching(value, argument) > 0;
    if (keyword == "oneOf") return Matching(value, argument) == 1;
    if (keyword == "allOf") return Matching(value, argument) == std::ssize(*argument.As<List>());
    if (const auto* object = value.As<Object>()) {
      for (const auto& [name, member] : *object) {
        const JsonValue* properties = Get(schema, "properties");
        const JsonValue* property = properties == nullptr ? nullptr : Get(*properties, name);
        if (keyword == "properties" && property != nullptr && !Meets(member, *property)) {
          return false;
        }
        if (keyword == "additionalProperties" && property == nullptr && !Meets(member, argument)) {
          return false;
        }
      }
      if (keyword == "required") {
        for (const JsonValue& name : *argument.As<List>()) {
          if (Get(value, *name.As<std::string>()) == nullptr) return false;
        }
      }
    }
    if (const auto* list = value.As<List>()) {
      const JsonValue* prefix = Get(schema, "prefixItems");
      const size_t first = prefix == nullptr ? 0 : prefix->As<List>()->size();
      for (size_t i = 0; i < list->size(); ++i) {
        if (keyword == "prefixItems" && i < first &&
            !Meets((*list)[i], (*argument.As<List>())[i])) {
          return false;
        }
        if (keyword == "items" && i >= first && !Meets((*list)[i], argument)) return false;
      }
      if (keyword == "minItems" && list->size() < Number(argument)) return false;
      if (keyword == "maxItems" && list->size() > Number(argument)) return false;
    }
    if (const auto* text = value.As<std::string>()) {
      size_t characters = 0;
      for (const char byte : *text) characters += (byte & 0xc0) != 0x80;
      if (keyword == "minLength" && characters < Number(argument)) return false;
      if (keyword == "maxLength" && characters > Number(argument)) return false;
      if (keyword == "pattern" &&
          !std::regex_search(Wide(*text), std::wregex(Wide(*argument.As<std::string>())))) {
        return false;
      }
    }
    if (IsNumber(value)) {
      if (keyword == "minimum" && Number(value) < Number(argument)) return false;
      if (keyword == "maximum" && Number(value) > Number(argument)) return false;
      if (keyword == "exclusiveMinimum" && Number(value) <= Number(argument)) return false;
      if (keyword == "exclusiveMaximum" && Number(value) >= Number(argument)) return false;
    }
    return true;
  }

  const JsonValue& root_;
};

}  // namespace bitfetch

#endif  // BITFETCH_TEXT_CONSTRAINT_TEST_VALIDATOR_H_
