// SPDX-License-Identifier: Apache-2.0
#include "text/constraint/schema_compiler.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "text/constraint/matcher.h"

namespace bitfetch {

using NodeId = Grammar::NodeId;

namespace {

constexpr int kMaxSchemaDepth = 128;  // those that are referred to included
constexpr int kMaxSchemas = 20'000;
constexpr size_t kMaxMergedBytes = 1 << 26;  // half a second
constexpr size_t kMaxExclusive = 64;         // each of which is compared with each

}  // namespace

Result<NodeId> SchemaCompiler::Value(const JsonValue& schema, const std::string& place,
                                     NodeId next) {
  if (Status checked = CheckSchema(schema); !checked) {
    return Refuse(place, "{}", checked.error().message);
  }
  if (depth_ == kMaxSchemaDepth)
    return Refuse(place, "schemas are nested over {} deep", kMaxSchemaDepth);
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
    BITFETCH_ASSIGN_OR_RETURN(const NodeId entry,
                              Value(*target, reference, GrammarBuilder::kReturn));
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
  for (int i = 0; i < kMaxSchemaDepth; ++i) {
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

}  // namespace bitfetch
