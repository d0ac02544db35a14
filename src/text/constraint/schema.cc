// SPDX-License-Identifier: Apache-2.0
#include "text/constraint/schema.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "base/printable.h"

namespace bitfetch {
namespace {

using Object = JsonValue::Object;
using List = JsonValue::List;

enum class Use {
  kAnnotation,  // said to people, or a place for schemas that are referred to
  kGeneral,     // of values of any type
  kObject,
  kArray,
  kString,
  kNumber,
};

struct KeywordUse {
  std::string_view keyword;
  Use use;
};

constexpr KeywordUse kKeywords[] = {
    {"$schema", Use::kAnnotation},
    {"$id", Use::kAnnotation},
    {"$comment", Use::kAnnotation},
    {"$defs", Use::kAnnotation},
    {"definitions", Use::kAnnotation},
    {"title", Use::kAnnotation},
    {"description", Use::kAnnotation},
    {"default", Use::kAnnotation},
    {"example", Use::kAnnotation},
    {"examples", Use::kAnnotation},
    {"deprecated", Use::kAnnotation},
    {"readOnly", Use::kAnnotation},
    {"writeOnly", Use::kAnnotation},
    {"$ref", Use::kGeneral},
    {"type", Use::kGeneral},
    {"enum", Use::kGeneral},
    {"const", Use::kGeneral},
    {"anyOf", Use::kGeneral},
    {"oneOf", Use::kGeneral},
    {"allOf", Use::kGeneral},
    {"properties", Use::kObject},
    {"required", Use::kObject},
    {"additionalProperties", Use::kObject},
    {"items", Use::kArray},
    {"prefixItems", Use::kArray},
    {"minItems", Use::kArray},
    {"maxItems", Use::kArray},
    {"uniqueItems", Use::kArray},
    {"minLength", Use::kString},
    {"maxLength", Use::kString},
    {"pattern", Use::kString},
    {"format", Use::kString},
    {"minimum", Use::kNumber},
    {"maximum", Use::kNumber},
    {"exclusiveMinimum", Use::kNumber},
    {"exclusiveMaximum", Use::kNumber},
};

struct TypeName {
  std::string_view name;
  SchemaType type;
  Use use;  // of the keywords that speak of it alone
};

constexpr TypeName kTypes[] = {
    {"object", SchemaType::kObject, Use::kObject},
    {"array", SchemaType::kArray, Use::kArray},
    {"string", SchemaType::kString, Use::kString},
    {"number", SchemaType::kNumber, Use::kNumber},
    {"integer", SchemaType::kInteger, Use::kNumber},
    {"boolean", SchemaType::kBoolean, Use::kGeneral},
    {"null", SchemaType::kNull, Use::kGeneral},
};

std::optional<Use> UseOf(std::string_view keyword) {
  const auto found = std::ranges::find(kKeywords, keyword, &KeywordUse::keyword);
  if (found != std::end(kKeywords)) return found->use;
  if (keyword.starts_with("x-")) return Use::kAnnotation;
  return std::nullopt;
}

bool IsNever(const JsonValue& schema) {
  const bool* all = schema.As<bool>();
  return all != nullptr && !*all;
}

bool Speaks(const JsonValue& schema, Use use) {
  const Object* object = schema.As<Object>();
  return object != nullptr &&
         std::ranges::any_of(*object, [&](const auto& member) { return UseOf(member.key) == use; });
}

// The values that a schema lists; none: it lists none.
std::optional<List> Listed(const JsonValue& schema) {
  if (const JsonValue* one = Keyword(schema, "const")) return List{*one};
  if (const List* list = schema.Find<List>("enum")) return *list;
  return std::nullopt;
}

bool Includes(SchemaType type, SchemaType other) {
  return type == other || (type == SchemaType::kNumber && other == SchemaType::kInteger);
}

// The same text for equal values.
std::string Canonical(const JsonValue& value) {
  const std::optional<double> number = NumberOf(value);
  return number ? fmt::format("{}", *number) : WriteJson(value);
}

std::set<std::string> RequiredOf(const JsonValue& schema) {
  std::set<std::string> names;
  if (const List* required = schema.Find<List>("required")) {
    for (const JsonValue& name : *required) {
      if (const auto* text = name.As<std::string>()) names.insert(*text);
    }
  }
  return names;
}

Result<JsonValue> MergeTypes(const JsonValue& a, const JsonValue& b) {
  JsonValue of_a{Object{{"type", a}}};
  JsonValue of_b{Object{{"type", b}}};
  BITFETCH_ASSIGN_OR_RETURN(const std::vector<SchemaType> left, SchemaTypes(of_a));
  BITFETCH_ASSIGN_OR_RETURN(const std::vector<SchemaType> right, SchemaTypes(of_b));
  List both;
  for (const TypeName& type : kTypes) {
    const auto has = [&](const std::vector<SchemaType>& types) {
      return std::ranges::any_of(types, [&](SchemaType one) { return Includes(one, type.type); });
    };
    // A number includes the integers.
    const bool is_part = type.type == SchemaType::kInteger && !both.empty() &&
                         *both.back().As<std::string>() == "number";
    if (has(left) && has(right) && !is_part) both.push_back({std::string(type.name)});
  }
  return JsonValue{std::move(both)};
}

Result<JsonValue> MergeProperties(const Object& a, const Object& b) {
  Object merged = a;
  for (const auto& [name, schema] : b) {
    const auto found = std::ranges::find(merged, name, &Object::value_type::key);
    if (found == merged.end()) {
      merged.push_back({name, schema});
    } else {
      BITFETCH_ASSIGN_OR_RETURN(found->value, MergeSchemas(found->value, schema));
    }
  }
  return JsonValue{std::move(merged)};
}

JsonValue MergeRequired(const JsonValue& a, const JsonValue& b) {
  JsonValue merged = a;
  List& names = std::get<List>(merged.value);
  const std::set<std::string> there = RequiredOf({Object{{"required", a}}});
  for (const JsonValue& name : std::get<List>(b.value)) {
    const auto* text = name.As<std::string>();
    if (text == nullptr || !there.contains(*text)) names.push_back(name);
  }
  return merged;
}

JsonValue MergeListed(const List& a, const List& b) {
  std::set<std::string> texts;
  for (const JsonValue& value : b) texts.insert(Canonical(value));
  List both;
  for (const JsonValue& value : a) {
    if (texts.contains(Canonical(value))) both.push_back(value);
  }
  return {std::move(both)};
}

// additionalProperties speaks of what is in the same schema's `properties` alone, and items of what
// is behind its `prefixItems`.
Status CheckClosed(const JsonValue& closed, const JsonValue& other) {
  if (Keyword(closed, "items") != nullptr && Keyword(other, "prefixItems") != nullptr &&
      Keyword(closed, "prefixItems") == nullptr) {
    return Fail("'items' beside other schemas' 'prefixItems' is not supported");
  }
  if (Keyword(closed, "additionalProperties") == nullptr) return {};
  const Object* properties = other.Find<Object>("properties");
  if (properties == nullptr) return {};
  const Object* own = closed.Find<Object>("properties");
  for (const auto& [name, schema] : *properties) {
    if (own == nullptr || std::ranges::find(*own, name, &Object::value_type::key) == own->end()) {
      return Fail("'additionalProperties' beside other schemas' property '{}' is not supported",
                  Printable(name));
    }
  }
  return {};
}

}  // namespace

std::optional<double> NumberOf(const JsonValue& value) {
  if (const int64_t* whole = value.As<int64_t>()) return static_cast<double>(*whole);
  if (const double* real = value.As<double>()) return *real;
  return std::nullopt;
}

const JsonValue* Keyword(const JsonValue& schema, std::string_view keyword) {
  const Object* object = schema.As<Object>();
  if (object == nullptr) return nullptr;
  const auto found = std::ranges::find(*object, keyword, &Object::value_type::key);
  return found == object->end() ? nullptr : &found->value;
}

Status CheckSchema(const JsonValue& schema) {
  if (schema.As<bool>() != nullptr) return {};
  const Object* object = schema.As<Object>();
  if (object == nullptr) return Fail("a schema must be an object or a boolean");
  for (const auto& [keyword, value] : *object) {
    if (!UseOf(keyword)) return Fail("the keyword '{}' is not supported", Printable(keyword));
  }
  return {};
}

size_t JsonBytes(const JsonValue& value) {
  size_t bytes = 8;
  if (const auto* text = value.As<std::string>()) bytes += text->size();
  if (const List* list = value.As<List>()) {
    for (const JsonValue& item : *list) bytes += JsonBytes(item);
  }
  if (const Object* object = value.As<Object>()) {
    for (const auto& [name, member] : *object) bytes += name.size() + JsonBytes(member);
  }
  return bytes;
}

bool IsDeeper(const JsonValue& value, int depth) {
  if (depth < 0) return true;
  if (const List* list = value.As<List>()) {
    return std::ranges::any_of(*list,
                               [&](const JsonValue& item) { return IsDeeper(item, depth - 1); });
  }
  const Object* object = value.As<Object>();
  return object != nullptr && std::ranges::any_of(*object, [&](const JsonMember& member) {
           return IsDeeper(member.value, depth - 1);
         });
}

Result<std::vector<SchemaType>> SchemaTypes(const JsonValue& schema) {
  std::vector<SchemaType> types;
  const JsonValue* type = Keyword(schema, "type");
  if (type == nullptr) {
    for (const TypeName& one : kTypes) {
      if (one.use != Use::kGeneral && one.type != SchemaType::kInteger && Speaks(schema, one.use)) {
        types.push_back(one.type);
      }
    }
    if (!types.empty()) return types;
    for (const TypeName& one : kTypes) {
      if (one.type != SchemaType::kInteger) types.push_back(one.type);
    }
    return types;
  }
  const List* list = type->As<List>();
  const List single = {*type};
  for (const JsonValue& one : list != nullptr ? *list : single) {
    const auto* name = one.As<std::string>();
    const auto found =
        name == nullptr ? std::end(kTypes) : std::ranges::find(kTypes, *name, &TypeName::name);
    if (found == std::end(kTypes)) return Fail("'type' is no type or list of types");
    if (std::ranges::find(types, found->type) == types.end()) types.push_back(found->type);
  }
  return types;
}

bool IsOfType(const JsonValue& value, SchemaType type) {
  switch (type) {
    case SchemaType::kObject:
      return value.As<Object>() != nullptr;
    case SchemaType::kArray:
      return value.As<List>() != nullptr;
    case SchemaType::kString:
      return value.As<std::string>() != nullptr;
    case SchemaType::kNumber:
      return NumberOf(value).has_value();
    case SchemaType::kInteger: {
      const std::optional<double> number = NumberOf(value);
      return number && *number == std::floor(*number);
    }
    case SchemaType::kBoolean:
      return value.As<bool>() != nullptr;
    case SchemaType::kNull:
      return value.As<std::monostate>() != nullptr;
  }
  return false;
}

const JsonValue* FindReference(const JsonValue& root, std::string_view reference) {
  if (!reference.starts_with('#')) return nullptr;
  reference.remove_prefix(1);
  const JsonValue* found = &root;
  while (found != nullptr && !reference.empty()) {
    if (reference[0] != '/') return nullptr;
    const size_t end = std::min(reference.find('/', 1), reference.size());
    std::string name;
    for (size_t i = 1; i < end; ++i) {
      const std::string_view rest = reference.substr(i, end - i);
      uint8_t byte = 0;
      if (rest.starts_with("~0") || rest.starts_with("~1")) {
        name += rest[1] == '0' ? '~' : '/';
        ++i;
      } else if (rest.size() >= 3 && rest[0] == '%' &&
                 std::from_chars(&rest[1], &rest[3], byte, 16).ptr == &rest[3]) {
        name += static_cast<char>(byte);
        i += 2;
      } else {
        name += rest[0];
      }
    }
    reference.remove_prefix(end);
    if (const List* list = found->As<List>()) {
      size_t index = 0;
      const auto parsed = std::from_chars(name.data(), name.data() + name.size(), index);
      const bool is_index = parsed.ec == std::errc() && parsed.ptr == name.data() + name.size();
      found = is_index && index < list->size() ? &(*list)[index] : nullptr;
    } else {
      found = Keyword(*found, name);
    }
  }
  return found;
}

bool OnlyAnnotates(const JsonValue& schema) {
  const bool* all = schema.As<bool>();
  if (all != nullptr) return *all;
  const Object* object = schema.As<Object>();
  return object != nullptr && std::ranges::all_of(*object, [](const auto& member) {
           return UseOf(member.key) == Use::kAnnotation;
         });
}

JsonValue WithoutKeyword(const JsonValue& schema, std::string_view keyword) {
  Object rest;
  for (const auto& member : std::get<Object>(schema.value)) {
    if (member.key != keyword) rest.push_back(member);
  }
  return {std::move(rest)};
}

Result<JsonValue> MergeSchemas(const JsonValue& a, const JsonValue& b) {
  for (const JsonValue* one : {&a, &b}) {
    BITFETCH_RETURN_IF_ERROR(CheckSchema(*one));
    if (IsNever(*one)) return *one;
  }
  if (OnlyAnnotates(a)) return b;
  if (OnlyAnnotates(b)) return a;
  BITFETCH_RETURN_IF_ERROR(CheckClosed(a, b));
  BITFETCH_RETURN_IF_ERROR(CheckClosed(b, a));
  Object merged = *a.As<Object>();
  for (const auto& [keyword, value] : *b.As<Object>()) {
    if (UseOf(keyword) == Use::kAnnotation) continue;
    const auto found = std::ranges::find(merged, keyword, &Object::value_type::key);
    if (found == merged.end()) {
      merged.push_back({keyword, value});
      continue;
    }
    JsonValue& there = found->value;
    const std::optional<double> x = NumberOf(there);
    const std::optional<double> y = NumberOf(value);
    const bool are_objects = there.As<Object>() != nullptr && value.As<Object>() != nullptr;
    const bool are_lists = there.As<List>() != nullptr && value.As<List>() != nullptr;
    if (keyword == "type") {
      BITFETCH_ASSIGN_OR_RETURN(there, MergeTypes(there, value));
    } else if (keyword == "properties" && are_objects) {
      BITFETCH_ASSIGN_OR_RETURN(there, MergeProperties(*there.As<Object>(), *value.As<Object>()));
    } else if (keyword == "required" && are_lists) {
      there = MergeRequired(there, value);
    } else if (keyword == "enum" && are_lists) {
      there = MergeListed(*there.As<List>(), *value.As<List>());
    } else if (keyword == "items") {
      BITFETCH_ASSIGN_OR_RETURN(there, MergeSchemas(there, value));
    } else if ((keyword.starts_with("min") || keyword == "exclusiveMinimum") && x && y) {
      if (*y > *x) there = value;
    } else if ((keyword.starts_with("max") || keyword == "exclusiveMaximum") && x && y) {
      if (*y < *x) there = value;
    } else if (Canonical(there) != Canonical(value)) {
      return Fail("two schemas with '{}' for the same value are not supported", keyword);
    }
  }
  return JsonValue{std::move(merged)};
}

bool AreDisjoint(const JsonValue& a, const JsonValue& b) {
  if (IsNever(a) || IsNever(b)) return true;
  const std::optional<List> listed_a = Listed(a);
  const std::optional<List> listed_b = Listed(b);
  if (listed_a && listed_b) {
    return std::get<List>(MergeListed(*listed_a, *listed_b).value).empty();
  }
  const auto types_a = SchemaTypes(a);
  const auto types_b = SchemaTypes(b);
  if (!types_a || !types_b) return false;
  // Without `type` they are what is written, not all that is valid.
  const bool are_told = Keyword(a, "type") != nullptr && Keyword(b, "type") != nullptr;
  const bool share_type = std::ranges::any_of(*types_a, [&](SchemaType one) {
    return std::ranges::any_of(
        *types_b, [&](SchemaType other) { return Includes(one, other) || Includes(other, one); });
  });
  if (!share_type && are_told) return true;
  const Object* properties_a = a.Find<Object>("properties");
  const Object* properties_b = b.Find<Object>("properties");
  if (properties_a == nullptr || properties_b == nullptr) return false;
  if (*types_a != std::vector{SchemaType::kObject} || *types_a != *types_b) return false;
  const std::set<std::string> required_b = RequiredOf(b);
  for (const std::string& name : RequiredOf(a)) {
    if (!required_b.contains(name)) continue;
    const auto of_a = std::ranges::find(*properties_a, name, &Object::value_type::key);
    const auto of_b = std::ranges::find(*properties_b, name, &Object::value_type::key);
    if (of_a != properties_a->end() && of_b != properties_b->end() &&
        AreDisjoint(of_a->value, of_b->value)) {
      return true;
    }
  }
  return false;
}

}  // namespace bitfetch
