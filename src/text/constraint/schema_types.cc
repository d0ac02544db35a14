// SPDX-License-Identifier: Apache-2.0
// What a schema says of values of each type.
#include <algorithm>
#include <cmath>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "text/constraint/characters.h"
#include "text/constraint/format_pattern.h"
#include "text/constraint/matcher.h"
#include "text/constraint/pattern.h"
#include "text/constraint/schema_compiler.h"

namespace bitfetch {

using NodeId = Grammar::NodeId;

namespace {

constexpr NodeId kReturn = GrammarBuilder::kReturn;
constexpr size_t kMaxNameCharacters = 256;
constexpr size_t kMaxPatternBytes = 10'000;

}  // namespace

Result<NodeId> SchemaCompiler::OfType(const JsonValue& schema, SchemaType type,
                                      const std::string& place, NodeId next) {
  switch (type) {
    case SchemaType::kObject:
      return Object(schema, place, next);
    case SchemaType::kArray:
      return Array(schema, place, next);
    case SchemaType::kString:
      return String(schema, place, next);
    case SchemaType::kNumber:
      return Number(schema, false, place, next);
    case SchemaType::kInteger:
      return Number(schema, true, place, next);
    case SchemaType::kBoolean:
      return json_.Bool(next);
    case SchemaType::kNull:
      return builder_.Literal("null", next);
  }
  return Grammar::kNone;
}

Result<NodeId> SchemaCompiler::Object(const JsonValue& schema, const std::string& place,
                                      NodeId next) {
  struct Property {
    const std::string* name;
    const JsonValue* schema;
    bool is_required;
    std::string place;
  };
  const JsonValue* listed = Keyword(schema, "properties");
  const JsonValue::Object none;
  const auto* properties = listed == nullptr ? &none : listed->As<JsonValue::Object>();
  if (properties == nullptr) return Refuse(place, "'properties' must be an object");
  const JsonValue anything{true};
  const JsonValue* additional = Keyword(schema, "additionalProperties");
  const JsonValue* others = additional != nullptr ? additional
                            : properties->empty() ? &anything
                                                  : nullptr;
  if (others != nullptr && others->As<bool>() != nullptr && !*others->As<bool>()) others = nullptr;

  std::set<std::string_view> required;
  std::vector<Property> all;
  std::set<std::u32string> names;
  const auto add = [&](const std::string& name, const JsonValue* of, std::string where) {
    names.insert(Characters(name));
    all.push_back({&name, of, required.contains(name), std::move(where)});
  };
  const JsonValue* required_list = Keyword(schema, "required");
  if (required_list != nullptr && required_list->As<JsonValue::List>() == nullptr) {
    return Refuse(place, "'required' must be a list of names");
  }
  if (required_list != nullptr) {
    for (const JsonValue& name : *required_list->As<JsonValue::List>()) {
      if (name.As<std::string>() == nullptr) {
        return Refuse(place, "'required' must be a list of names");
      }
      required.insert(*name.As<std::string>());
    }
  }
  for (const auto& [name, of] : *properties) {
    add(name, &of, fmt::format("{}/properties/{}", place, name));
  }
  if (required_list != nullptr) {
    for (const JsonValue& name : *required_list->As<JsonValue::List>()) {
      const std::string& text = *name.As<std::string>();
      if (names.contains(Characters(text))) continue;
      if (additional != nullptr && others == nullptr) {
        return Refuse(place, "'required' has '{}', which is none of the properties",
                      Printable(text));
      }
      add(text, others != nullptr ? others : &anything, place + "/additionalProperties");
    }
  }
  constexpr auto kMaxOptional = static_cast<ptrdiff_t>(Matcher::kMaxPlaces / 2);
  if (std::ranges::count(all, false, &Property::is_required) > kMaxOptional) {
    return Refuse(place, "more than {} properties that are not required are not supported",
                  kMaxOptional);
  }
  for (const std::u32string& name : names) {
    if (name.size() <= kMaxNameCharacters) continue;
    return Refuse(place, "a property's name is longer than {} characters", kMaxNameCharacters);
  }

  // From the end: what follows when a member has been written, and what members may come next.
  const NodeId end = builder_.Literal("}", next);
  const NodeId spaced_end = json_.Space(end);
  NodeId behind = spaced_end;
  NodeId members = Grammar::kNone;
  if (others != nullptr) {
    const NodeId rule = builder_.Declare();
    BITFETCH_ASSIGN_OR_RETURN(const NodeId value,
                              Inner(*others, place + "/additionalProperties", kReturn));
    builder_.Define(rule, json_.OtherString(names, json_.Colon(value)));
    const NodeId more = json_.Comma(builder_.Call(rule, kReturn));
    behind = builder_.Repeat(more, 0, Grammar::kUnbounded, spaced_end);
    members = builder_.Call(rule, behind);
  }
  bool may_end = true;
  for (auto property = all.rbegin(); property != all.rend(); ++property) {
    BITFETCH_ASSIGN_OR_RETURN(const NodeId value,
                              Inner(*property->schema, property->place, behind));
    const NodeId member = builder_.Literal(QuoteJson(*property->name), json_.Colon(value));
    may_end = may_end && !property->is_required;
    members = property->is_required ? member : builder_.Either(member, members);
    behind = builder_.Either(json_.Comma(members), may_end ? spaced_end : Grammar::kNone);
  }
  return builder_.Literal("{",
                          json_.Space(builder_.Either(members, may_end ? end : Grammar::kNone)));
}

Result<NodeId> SchemaCompiler::Array(const JsonValue& schema, const std::string& place,
                                     NodeId next) {
  if (const JsonValue* unique = Keyword(schema, "uniqueItems");
      unique != nullptr && (unique->As<bool>() == nullptr || *unique->As<bool>())) {
    return Refuse(place, "'uniqueItems' is not supported");
  }
  BITFETCH_ASSIGN_OR_RETURN(const uint32_t min, Count(schema, "minItems", 0, place));
  BITFETCH_ASSIGN_OR_RETURN(const uint32_t max,
                            Count(schema, "maxItems", Grammar::kUnbounded, place));
  const JsonValue::List none;
  const JsonValue* listed = Keyword(schema, "prefixItems");
  const auto* first = listed == nullptr ? &none : listed->As<JsonValue::List>();
  if (first == nullptr) return Refuse(place, "'prefixItems' must be a list of schemas");
  const JsonValue anything{true};
  const JsonValue* items = Keyword(schema, "items");
  if (items == nullptr) items = &anything;

  const auto at_least = [&](size_t count) {
    return static_cast<uint32_t>(min > count ? min - count : 0);
  };
  const NodeId end = builder_.Literal("]", next);
  const NodeId spaced_end = json_.Space(end);
  NodeId others = Grammar::kNone;
  if (max > first->size()) {
    const NodeId rule = builder_.Declare();
    BITFETCH_ASSIGN_OR_RETURN(const NodeId item, Inner(*items, place + "/items", kReturn));
    if (item != Grammar::kNone) {
      builder_.Define(rule, item);
      others = rule;
    }
  }
  const auto count = static_cast<uint32_t>(std::min<size_t>(first->size(), max));
  const NodeId more =
      others == Grammar::kNone ? others : json_.Comma(builder_.Call(others, kReturn));
  const auto repeat = [&](uint32_t there) {
    return builder_.Repeat(more, at_least(there), max == Grammar::kUnbounded ? max : max - there,
                           spaced_end);
  };
  // What follows when so many items have been written, and what the next may be.
  NodeId behind = Grammar::kNone;
  NodeId one = Grammar::kNone;
  if (count < first->size()) {
    behind = at_least(count) == 0 ? spaced_end : Grammar::kNone;
  } else {
    behind = repeat(count);
    if (count == 0 && others != Grammar::kNone) one = builder_.Call(others, repeat(1));
  }
  for (uint32_t i = count; i-- > 0;) {
    BITFETCH_ASSIGN_OR_RETURN(
        one, Inner((*first)[i], fmt::format("{}/prefixItems/{}", place, i), behind));
    behind = builder_.Either(json_.Comma(one), at_least(i) == 0 ? spaced_end : Grammar::kNone);
  }
  return builder_.Literal("[", json_.Space(builder_.Either(one, min == 0 ? end : Grammar::kNone)));
}

Result<NodeId> SchemaCompiler::String(const JsonValue& schema, const std::string& place,
                                      NodeId next) {
  BITFETCH_ASSIGN_OR_RETURN(const uint32_t min, Count(schema, "minLength", 0, place));
  BITFETCH_ASSIGN_OR_RETURN(const uint32_t max,
                            Count(schema, "maxLength", Grammar::kUnbounded, place));
  const JsonValue* pattern = Keyword(schema, "pattern");
  const JsonValue* format = Keyword(schema, "format");
  if (pattern == nullptr && format == nullptr) return json_.String(min, max, next);
  if (pattern != nullptr && format != nullptr) {
    return Refuse(place, "'pattern' beside 'format' is not supported");
  }
  const std::string_view keyword = pattern != nullptr ? "pattern" : "format";
  const auto* text = (pattern != nullptr ? pattern : format)->As<std::string>();
  if (text == nullptr) return Refuse(place, "'{}' must be a string", keyword);
  const std::string_view regular = pattern != nullptr ? *text : FormatPattern(*text);
  if (regular.empty() && format != nullptr) {
    return Refuse(place, "the format '{}' is not supported", Printable(*text));
  }
  if (regular.size() > kMaxPatternBytes) return Refuse(place, "'pattern' is too large");
  const Result<Pattern> parsed = Pattern::Parse(regular);
  if (!parsed) return Refuse(place, "'pattern' {}", parsed.error().message);
  return json_.Matching(*parsed, min, max, next);
}

Result<NodeId> SchemaCompiler::Number(const JsonValue& schema, bool whole, const std::string& place,
                                      NodeId next) {
  // As if what is beyond our digits were a bound that is not met.
  constexpr double kBeyond = 1e18;
  JsonGrammar::Bound min{.value = -static_cast<int64_t>(kBeyond), .belongs = false};
  JsonGrammar::Bound max{.value = static_cast<int64_t>(kBeyond), .belongs = false};
  bool is_bounded = false;
  for (const bool is_min : {true, false}) {
    for (const bool belongs : {true, false}) {
      const std::string_view keyword = is_min    ? belongs ? "minimum" : "exclusiveMinimum"
                                       : belongs ? "maximum"
                                                 : "exclusiveMaximum";
      const JsonValue* value = Keyword(schema, keyword);
      if (value == nullptr) continue;
      const std::optional<double> number = NumberOf(*value);
      if (!number) return Refuse(place, "'{}' must be a number", keyword);
      double bound = *number;
      bool bound_belongs = belongs;
      if (whole && bound != std::floor(bound)) {
        bound = is_min ? std::ceil(bound) : std::floor(bound);
        bound_belongs = true;
      }
      if (bound != std::floor(bound)) {
        return Refuse(place, "'{}' of numbers that are not integers must be a whole number",
                      keyword);
      }
      is_bounded = true;
      if (std::abs(bound) >= kBeyond) {
        // Either it is met by all that is written, or by nothing.
        if ((bound > 0) == is_min) return Grammar::kNone;
        continue;
      }
      const int64_t* exact = value->As<int64_t>();
      const JsonGrammar::Bound found{
          .value = exact != nullptr ? *exact : static_cast<int64_t>(bound),
          .belongs = bound_belongs};
      JsonGrammar::Bound& tightest = is_min ? min : max;
      const bool is_tighter = is_min ? found.value > tightest.value : found.value < tightest.value;
      if (is_tighter || (found.value == tightest.value && !found.belongs)) tightest = found;
    }
  }
  if (!whole) return is_bounded ? json_.NumberWithin(min, max, next) : json_.Number(next);
  return is_bounded ? json_.IntegerWithin(min.value + !min.belongs, max.value - !max.belongs, next)
                    : json_.Integer(next);
}

Result<uint32_t> SchemaCompiler::Count(const JsonValue& schema, std::string_view keyword,
                                       uint32_t otherwise, const std::string& place) {
  const JsonValue* value = Keyword(schema, keyword);
  if (value == nullptr) return otherwise;
  const double count = NumberOf(*value).value_or(-1);
  if (count < 0 || count != std::floor(count)) {
    return Refuse(place, "'{}' must be a whole number from 0 up", keyword);
  }
  return static_cast<uint32_t>(std::min<double>(count, Grammar::kUnbounded));
}

}  // namespace bitfetch
