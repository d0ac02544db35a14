// SPDX-License-Identifier: Apache-2.0
#include "text/constraint/schema_grammar.h"

#include "text/constraint/schema_compiler.h"

namespace bitfetch {

namespace {

constexpr size_t kMaxSchemaBytes = 1 << 20;
constexpr int kMaxJsonDepth = 500;  // more than schemas may be nested

}  // namespace

Result<Grammar::NodeId> AddSchema(const JsonValue& schema, std::string_view name,
                                  Grammar::NodeId next, GrammarBuilder* builder) {
  if (IsDeeper(schema, kMaxJsonDepth)) {
    return Fail("{}#: the schema is nested over {} deep", name, kMaxJsonDepth);
  }
  if (JsonBytes(schema) > kMaxSchemaBytes) {
    return Fail("{}#: the schema has more than {} bytes", name, kMaxSchemaBytes);
  }
  return SchemaCompiler(schema, name, builder).Value(schema, "#", next);
}

}  // namespace bitfetch
