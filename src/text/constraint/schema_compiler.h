// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_TEXT_CONSTRAINT_SCHEMA_COMPILER_H_
#define BITFETCH_TEXT_CONSTRAINT_SCHEMA_COMPILER_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "base/json_value.h"
#include "base/printable.h"
#include "text/constraint/grammar.h"
#include "text/constraint/json_grammar.h"
#include "text/constraint/schema.h"

namespace bitfetch {

// Makes a grammar of one document. What it adds takes a value and goes on with `next`; errors name
// the value's place in the document, "#/properties/a".
class SchemaCompiler {
 public:
  SchemaCompiler(const JsonValue& root, std::string_view name, GrammarBuilder* builder)
      : root_(root), name_(name), builder_(*builder), json_(builder) {}

  Result<Grammar::NodeId> Value(const JsonValue& schema, const std::string& place,
                                Grammar::NodeId next);

 private:
  // The same within another value, of which something has been written.
  Result<Grammar::NodeId> Inner(const JsonValue& schema, const std::string& place,
                                Grammar::NodeId next);
  Result<Grammar::NodeId> Rule(const std::string& reference, const std::string& place,
                               Grammar::NodeId next);
  // A schema that refers to none.
  Result<JsonValue> Merge(const JsonValue& a, const JsonValue& b, const std::string& place);
  Result<JsonValue> Expand(const JsonValue& schema, const std::string& place);
  Result<Grammar::NodeId> Constrained(const JsonValue& schema, const std::string& place,
                                      Grammar::NodeId next);
  Result<Grammar::NodeId> Alternatives(const JsonValue& schema, std::string_view keyword,
                                       const std::string& place, Grammar::NodeId next);
  Result<Grammar::NodeId> Enumeration(const JsonValue& schema, const std::string& place,
                                      Grammar::NodeId next);
  Result<Grammar::NodeId> OfType(const JsonValue& schema, SchemaType type, const std::string& place,
                                 Grammar::NodeId next);
  Result<Grammar::NodeId> Object(const JsonValue& schema, const std::string& place,
                                 Grammar::NodeId next);
  Result<Grammar::NodeId> Array(const JsonValue& schema, const std::string& place,
                                Grammar::NodeId next);
  Result<Grammar::NodeId> String(const JsonValue& schema, const std::string& place,
                                 Grammar::NodeId next);
  Result<Grammar::NodeId> Number(const JsonValue& schema, bool whole, const std::string& place,
                                 Grammar::NodeId next);
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
  std::map<std::string, Grammar::NodeId> rules_;  // by reference
  std::set<std::string> open_;                    // references that nothing has been written of yet
  int depth_ = 0;
  int schemas_ = 0;
  size_t merged_bytes_ = 0;
};

}  // namespace bitfetch

#endif  // BITFETCH_TEXT_CONSTRAINT_SCHEMA_COMPILER_H_
