// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_TEXT_CONSTRAINT_SCHEMA_GRAMMAR_H_
#define BITFETCH_TEXT_CONSTRAINT_SCHEMA_GRAMMAR_H_

#include <string_view>

#include "base/error.h"
#include "base/json_value.h"
#include "text/constraint/grammar.h"

namespace bitfetch {

// Adds JSON that a schema describes (JSON Schema, 2020-12; docs/structured-output.md has what of
// it), and `next` behind it. Errors are a sentence that names the keyword and its place,
// "NAME#/properties/a": what is not supported, has the wrong type, contradicts itself or is too
// large.
Result<Grammar::NodeId> AddSchema(const JsonValue& schema, std::string_view name,
                                  Grammar::NodeId next, GrammarBuilder* builder);

}  // namespace bitfetch

#endif  // BITFETCH_TEXT_CONSTRAINT_SCHEMA_GRAMMAR_H_
