// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_TEXT_CONSTRAINT_SCHEMA_H_
#define BITFETCH_TEXT_CONSTRAINT_SCHEMA_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/json_value.h"

// JSON schemas as values: what they say, without what it takes to write such a text. Errors are
// what follows the schema's place.
namespace bitfetch {

enum class SchemaType { kObject, kArray, kString, kNumber, kInteger, kBoolean, kNull };

// A member of a schema, null among what it may be; nullptr: there is none.
const JsonValue* Keyword(const JsonValue& schema, std::string_view keyword);

// An error for what is no schema, and for a keyword that is not supported.
Status CheckSchema(const JsonValue& schema);

// About how many bytes a value is as text. It must not be deeper than a stack is (IsDeeper).
size_t JsonBytes(const JsonValue& value);

// Whether lists and objects are nested in it more than so many deep.
bool IsDeeper(const JsonValue& value, int depth);

// The types that a schema allows: those of `type`; without it those that its keywords speak of, or
// else all.
Result<std::vector<SchemaType>> SchemaTypes(const JsonValue& schema);

// The value of a number; none: it is none.
std::optional<double> NumberOf(const JsonValue& value);

bool IsOfType(const JsonValue& value, SchemaType type);

// What "#/$defs/name" points to in a document; nullptr: nothing, or no such pointer.
const JsonValue* FindReference(const JsonValue& root, std::string_view reference);

// Whether a schema says nothing but what is told to people.
bool OnlyAnnotates(const JsonValue& schema);

JsonValue WithoutKeyword(const JsonValue& schema, std::string_view keyword);

// What both schemas allow, as one schema. An error where that takes more than comparing keywords.
Result<JsonValue> MergeSchemas(const JsonValue& a, const JsonValue& b);

// Whether it is easily seen that no value meets both.
bool AreDisjoint(const JsonValue& a, const JsonValue& b);

}  // namespace bitfetch

#endif  // BITFETCH_TEXT_CONSTRAINT_SCHEMA_H_
