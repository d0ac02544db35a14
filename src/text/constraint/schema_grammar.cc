// SPDX-License-Identifier: Apache-2.0
#include "text/constraint/schema_grammar.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/printable.h"
#include "text/constraint/characters.h"
#include "text/constraint/format_pattern.h"
#include "text/constraint/json_grammar.h"
#include "text/constraint/matcher.h"
#include "text/constraint/pattern.h"
#include "text/constraint/schema.h"

namespace bitfetch {
namespace {

using NodeId = Grammar::NodeId;

constexpr NodeId kReturn = GrammarBuilder::kReturn;
constexpr int kMaxDepth = 128;  // of schemas inside schemas, those that are referred to included
constexpr int kMaxSchemas = 20'000;
constexpr size_t kMaxBytes = 1 << 20;
constexpr size_t kMaxMergedBytes = 1 << 26;  // half a second
constexpr size_t kMaxExclusive = 64;         // each of which is compared with each
constexpr size_t kMaxPatternBytes = 10'000;
constexpr size_t kMaxNameCharacters = 256;

class SchemaCompiler {
 public:
  SchemaCompiler(const JsonValue& root, std::string_view name, GrammarBuilder* builder)
      : root_(root), name_(name), builder_(*builder), json_(builder) {}

  Result<NodeId> Value(const JsonValue& schema, const std::string& place, NodeId next);

 private:
  // The same within another value, of which something has been written.
  Result<NodeId> Inner(const JsonValue& schema, const std::string& place, NodeId next);
  Result<NodeId> Rule(const std::string& reference, const std::string& place, NodeId next);
  // A schema that refers to none.
  Result<JsonValue> Merge(const JsonValue& a, const JsonValue& b, const std::string& place);
  Result<JsonValue> Expand(const JsonValue& schema, const std::string& place);
  Result<NodeId> Constrained(const JsonValue& schema, const std::string& place, NodeId next);
  Result<NodeId> Alternatives(const JsonValue& schema, std::string_view keyword,
                              const std::string& place, NodeId next);
  Result<NodeId> Enumeration(const JsonValue& schema, const std::string& place, NodeId next);
  Result<NodeId> OfType(const JsonValue& schema, SchemaType type, const std::string& place,
                        NodeId next);
  Result<NodeId> Object(const JsonValue& schema, const std::string& place, NodeId next);
  Result<NodeId> Array(const JsonValue& schema, const std::string& place, NodeId next);
  Result<NodeId> String(const JsonValue& schema, const std::string& place, NodeId next);
  Result<NodeId> Number(const JsonValue& schema, bool whole, const std::string& place, NodeId next);
  Result<uint32_t> Count(const JsonValue& schema, std::string_view keyword, uint32_t otherwise,
                         const std::string& place);

  template <class... Args>
  tl::unexpected<Error> Refuse(const std::string& place, fmt::format_string<Args...> format,
                               Args&&... args) {
    return Fail("{}{}: {}", name_, Printable(place),
                fmt::format(format, std::forward<Args>(args)...));
  }

  const JsonValue& root_;
  std::string name_;
  GrammarBuilder& builder_;
  JsonGrammar json_;
  std::map<std::string, NodeId> rules_;  // by reference
  std::set<std::string> open_;           // references that nothing has been written of yet
  int depth_ = 0;
  int schemas_ = 0;
  size_t merged_bytes_ = 0;
};

Result<NodeId> SchemaCompiler::Value(const JsonValue& schema, const std::string& place,
                                     NodeId next) {
  if (Status checked = CheckSchema(schema); !checked) {
    return Refuse(place, "{}", checked.error().message);
  }
  if (depth_ == kMaxDepth) return Refuse(place, "schemas are nested over {} deep", kMaxDepth);
  if (++schemas_ > kMaxSchemas || builder_.is_full())
    return Refuse(place, "the schema is too large");
  ++depth_;
  Result<NodeId> made = Constrained(schema, place, next);
  --depth_;
  return made;
}

Result<NodeId> SchemaCompiler::Constrained(const JsonValue& schema, const std::string& place,
                                           NodeId next) {
  if (const bool* all = schema.As<bool>()) return *all ? json_.AnyValue(next) : Grammar::kNone;
  if (const JsonValue* reference = Keyword(schema, "$ref")) {
    const auto* name = reference->As<std::string>();
    if (name != nullptr && OnlyAnnotates(WithoutKeyword(schema, "$ref"))) {
      return Rule(*name, place, next);
    }
    BITFETCH_ASSIGN_OR_RETURN(const JsonValue expanded, Expand(schema, place));
    return Value(expanded, place, next);
  }
  if (const JsonValue* all_of = Keyword(schema, "allOf")) {
    const auto* parts = all_of->As<JsonValue::List>();
    if (parts == nullptr) return Refuse(place, "'allOf' must be a list of schemas");
    JsonValue merged = WithoutKeyword(schema, "allOf");
    for (size_t i = 0; i < parts->size(); ++i) {
      const std::string part = fmt::format("{}/allOf/{}", place, i);
      BITFETCH_ASSIGN_OR_RETURN(const JsonValue expanded, Expand((*parts)[i], part));
      BITFETCH_ASSIGN_OR_RETURN(merged, Merge(merged, expanded, part));
    }
    return Value(merged, place, next);
  }
  for (const std::string_view keyword : {"anyOf", "oneOf"}) {
    if (Keyword(schema, keyword) != nullptr) return Alternatives(schema, keyword, place, next);
  }
  if (Keyword(schema, "const") != nullptr || Keyword(schema, "enum") != nullptr) {
    return Enumeration(schema, place, next);
  }
  if (OnlyAnnotates(schema)) return json_.AnyValue(next);
  const auto types = SchemaTypes(schema);
  if (!types) return Refuse(place, "{}", types.error().message);
  NodeId any = Grammar::kNone;
  for (const SchemaType type : *types) {
    BITFETCH_ASSIGN_OR_RETURN(const NodeId one, OfType(schema, type, place, next));
    any = builder_.Either(any, one);
  }
  return any;
}

Result<NodeId> SchemaCompiler::Inner(const JsonValue& schema, const std::string& place,
                                     NodeId next) {
  std::set<std::string> open = std::exchange(open_, {});
  Result<NodeId> made = Value(schema, place, next);
  open_ = std::move(open);
  return made;
}

Result<NodeId> SchemaCompiler::Rule(const std::string& reference, const std::string& place,
                                    NodeId next) {
  const auto [rule, is_new] = rules_.try_emplace(reference, Grammar::kNone);
  if (open_.contains(reference)) {
    return Refuse(place, "'$ref' leads back to itself: {}", Printable(reference));
  }
  if (is_new) {
    const JsonValue* target = FindReference(root_, reference);
    if (target == nullptr) {
      return Refuse(place, "'$ref' leads nowhere in this schema: {}", Printable(reference));
    }
    const NodeId declared = builder_.Declare();
    rule->second = declared;
    open_.insert(reference);
    BITFETCH_ASSIGN_OR_RETURN(const NodeId entry, Value(*target, reference, kReturn));
    open_.erase(reference);
    builder_.Define(declared, entry);
  }
  return builder_.Call(rules_[reference], next);
}

Result<JsonValue> SchemaCompiler::Merge(const JsonValue& a, const JsonValue& b,
                                        const std::string& place) {
  merged_bytes_ += JsonBytes(a) + JsonBytes(b);
  if (merged_bytes_ > kMaxMergedBytes) return Refuse(place, "the schema is too large");
  Result<JsonValue> merged = MergeSchemas(a, b);
  if (!merged) return Refuse(place, "{}", merged.error().message);
  return merged;
}

Result<JsonValue> SchemaCompiler::Expand(const JsonValue& schema, const std::string& place) {
  JsonValue expanded = schema;
  for (int i = 0; i < kMaxDepth; ++i) {
    const JsonValue* reference = Keyword(expanded, "$ref");
    if (reference == nullptr) return expanded;
    const auto* name = reference->As<std::string>();
    const JsonValue* target = name == nullptr ? nullptr : FindReference(root_, *name);
    if (target == nullptr) return Refuse(place, "'$ref' leads nowhere in this schema");
    BITFETCH_ASSIGN_OR_RETURN(expanded, Merge(WithoutKeyword(expanded, "$ref"), *target, place));
  }
  return Refuse(place, "'$ref' leads back to itself");
}

Result<NodeId> SchemaCompiler::Alternatives(const JsonValue& schema, std::string_view keyword,
                                            const std::string& place, NodeId next) {
  const auto* alternatives = Keyword(schema, keyword)->As<JsonValue::List>();
  if (alternatives == nullptr || alternatives->empty()) {
    return Refuse(place, "'{}' must be a list of schemas", keyword);
  }
  const size_t max = keyword == "oneOf" ? kMaxExclusive : Matcher::kMaxPlaces;
  if (alternatives->size() > max) {
    return Refuse(place, "'{}' has more than {} schemas", keyword, max);
  }
  const JsonValue rest = WithoutKeyword(schema, keyword);
  const bool is_plain = OnlyAnnotates(rest);
  std::vector<JsonValue> expanded(alternatives->size());
  if (!is_plain || keyword == "oneOf") {
    for (size_t i = 0; i < expanded.size(); ++i) {
      BITFETCH_ASSIGN_OR_RETURN(
          expanded[i], Expand((*alternatives)[i], fmt::format("{}/{}/{}", place, keyword, i)));
    }
  }
  for (size_t i = 0; keyword == "oneOf" && i < expanded.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      if (AreDisjoint(expanded[i], expanded[j])) continue;
      return Refuse(place,
                    "'oneOf' is supported where types, constants or required constant properties "
                    "tell its schemas apart, unlike {} and {}; 'anyOf' asks for no such thing",
                    j, i);
    }
  }
  NodeId any = Grammar::kNone;
  for (size_t i = 0; i < expanded.size(); ++i) {
    const std::string inner = fmt::format("{}/{}/{}", place, keyword, i);
    JsonValue alternative = (*alternatives)[i];
    if (!is_plain) {
      BITFETCH_ASSIGN_OR_RETURN(alternative, Merge(rest, expanded[i], inner));
    }
    BITFETCH_ASSIGN_OR_RETURN(const NodeId one, Value(alternative, inner, next));
    any = builder_.Either(any, one);
  }
  return any;
}

Result<NodeId> SchemaCompiler::Enumeration(const JsonValue& schema, const std::string& place,
                                           NodeId next) {
  JsonValue::List values;
  const JsonValue* listed = Keyword(schema, "enum");
  const JsonValue* constant = Keyword(schema, "const");
  if (listed != nullptr) {
    const auto* list = listed->As<JsonValue::List>();
    if (list == nullptr) return Refuse(place, "'enum' must be a list of values");
    values = *list;
  }
  if (constant != nullptr) values = {*constant};
  for (const auto& [keyword, value] : *schema.As<JsonValue::Object>()) {
    if (keyword == "enum" || keyword == "const" || keyword == "type") continue;
    if (OnlyAnnotates({JsonValue::Object{{keyword, value}}})) continue;
    return Refuse(place, "'{}' beside 'enum' or 'const' is not supported", keyword);
  }
  if (constant != nullptr && listed != nullptr) {
    return Refuse(place, "'enum' beside 'const' is not supported");
  }
  const auto types = SchemaTypes(schema);
  if (!types) return Refuse(place, "{}", types.error().message);
  std::vector<std::string> texts;
  NodeId any = Grammar::kNone;
  for (const JsonValue& value : values) {
    if (std::ranges::none_of(*types, [&](SchemaType type) { return IsOfType(value, type); })) {
      continue;
    }
    const bool is_inner =
        value.As<JsonValue::List>() != nullptr || value.As<JsonValue::Object>() != nullptr;
    if (is_inner) {
      any = builder_.Either(any, json_.Constant(value, next));
    } else {
      texts.push_back(WriteJson(value));
    }
  }
  return builder_.Either(any, json_.Constants(std::move(texts), next));
}

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

}  // namespace

Result<NodeId> AddSchema(const JsonValue& schema, std::string_view name, NodeId next,
                         GrammarBuilder* builder) {
  if (JsonBytes(schema) > kMaxBytes) {
    return Fail("{}#: the schema has more than {} bytes", name, kMaxBytes);
  }
  return SchemaCompiler(schema, name, builder).Value(schema, "#", next);
}

}  // namespace bitfetch
