// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_TEXT_JINJA_SYNTAX_H_
#define BITFETCH_TEXT_JINJA_SYNTAX_H_

#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "text/jinja/value.h"

namespace bitfetch::jinja {

struct Expression;
using ExpressionPointer = std::unique_ptr<Expression>;

struct Expression {
  enum Kind {
    kLiteral,
    kName,
    kList,         // operands: its items
    kDict,         // operands: key, value, key, value ...
    kMember,       // a.name and a[b]; operands: object, key
    kSlice,        // a[b:c:d]; operands: object, start, stop, step, of which three may be null
    kCall,         // operands: what is called, the arguments
    kFilter,       // operands: what is filtered, the arguments
    kTest,         // a is name
    kUnary,        // not, -, +
    kBinary,       // and, or, in, not in, comparisons, arithmetic
    kConditional,  // a if b else c; operands: a, b, and maybe c
  };
  Kind kind;
  int line;
  std::string name = {};  // of the variable, filter, test or operator
  Value literal = {};
  std::vector<ExpressionPointer> operands = {};
  std::vector<std::pair<std::string, ExpressionPointer>> keywords = {};  // of a call or a filter
  bool negated = false;                                                  // a is not name
  int depth = 1;  // of expressions within each other
};

inline ExpressionPointer NewExpression(Expression::Kind kind, int line) {
  return std::make_unique<Expression>(Expression{kind, line});
}

struct Statement;
using Block = std::vector<Statement>;

// Text outside of tags, and {{ value }}.
struct Print {
  ExpressionPointer value;
};

// {% set name = value %}, {% set a, b = value %}, {% set namespace.name = value %}; without a value
// what the body gives.
struct Set {
  ExpressionPointer name_space;  // or null
  std::vector<std::string> names;
  ExpressionPointer value;
  Block body;
};

struct If {
  struct Branch {
    ExpressionPointer condition;  // null: else
    Block body;
  };
  std::vector<Branch> branches;
};

struct For {
  std::vector<std::string> names;  // several: an item is a list of as many
  ExpressionPointer items;
  ExpressionPointer condition;  // which items count; or null
  Block body;
  Block otherwise;
};

struct Macro {
  struct Parameter {
    std::string name;
    ExpressionPointer usual;  // or null
  };
  std::string name;
  std::vector<Parameter> parameters;
  Block body;
};

enum class Jump { kBreak, kContinue };

struct Statement {
  int line;
  std::variant<Print, Set, If, For, Macro, Jump> what;
};

}  // namespace bitfetch::jinja

#endif  // BITFETCH_TEXT_JINJA_SYNTAX_H_
