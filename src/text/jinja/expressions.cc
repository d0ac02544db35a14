// SPDX-License-Identifier: Apache-2.0
#include "text/jinja/expressions.h"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace bitfetch::jinja {
namespace {

constexpr int kMaxExpressionDepth = 200;
constexpr int kMaxBrackets = 100;  // each costs the stack a dozen calls

// Binary operators, the loosest first. "not" is a level of its own: it stands before what follows.
constexpr std::string_view kLevels[][8] = {
    {"or"},          {"and"},
    {"not"},         {"in", "not in", "==", "!=", "<", ">", "<=", ">="},
    {"+", "-", "~"}, {"*", "/", "//", "%"}};
constexpr size_t kNotLevel = 2;

class ExpressionParser {
 public:
  explicit ExpressionParser(TokenCursor& tokens) : tokens_(tokens) {}

  Result<ExpressionPointer> ParseExpression() {
    const Level level(&brackets_);
    BITFETCH_RETURN_IF_ERROR(CheckBrackets());
    BITFETCH_ASSIGN_OR_RETURN(ExpressionPointer value, ParseBinary(0));
    const int line = tokens_.Now().line;
    if (!tokens_.TakeWord("if")) return value;
    BITFETCH_ASSIGN_OR_RETURN(ExpressionPointer condition, ParseBinary(0));
    if (!tokens_.TakeWord("else")) {
      return Join(Expression::kConditional, line, "", std::move(value), std::move(condition));
    }
    BITFETCH_ASSIGN_OR_RETURN(ExpressionPointer otherwise, ParseExpression());
    return Join(Expression::kConditional, line, "", std::move(value), std::move(condition),
                std::move(otherwise));
  }

  // One expression, or a list of several with commas between.
  Result<ExpressionPointer> ParseSequence() {
    BITFETCH_ASSIGN_OR_RETURN(ExpressionPointer first, ParseExpression());
    if (!tokens_.IsSymbol(",")) return first;
    ExpressionPointer list = NewExpression(Expression::kList, first->line);
    list->operands.push_back(std::move(first));
    while (tokens_.TakeSymbol(",") && !tokens_.IsSymbol(")")) {
      BITFETCH_ASSIGN_OR_RETURN(ExpressionPointer item, ParseExpression());
      list->operands.push_back(std::move(item));
    }
    return Deepen(std::move(list));
  }

 private:
  Status CheckBrackets() const {
    if (brackets_ <= kMaxBrackets) return {};
    return tokens_.FailHere("an expression has more than {} levels of brackets", kMaxBrackets);
  }

  template <class... Operands>
  Result<ExpressionPointer> Join(Expression::Kind kind, int line, std::string name,
                                 Operands... operands) {
    ExpressionPointer node = NewExpression(kind, line);
    node->name = std::move(name);
    (node->operands.push_back(std::move(operands)), ...);
    return Deepen(std::move(node));
  }

  // A node whose operands are all there. Chains as of a + b + c are as deep as they are long.
  Result<ExpressionPointer> Deepen(ExpressionPointer node) {
    const auto count = [&](const ExpressionPointer& each) {
      if (each) node->depth = std::max(node->depth, each->depth + 1);
    };
    std::ranges::for_each(node->operands, count);
    for (const auto& keyword : node->keywords) count(keyword.second);
    if (node->depth <= kMaxExpressionDepth) return node;
    return Fail("line {}: an expression is more than {} levels deep", node->line,
                kMaxExpressionDepth);
  }

  // The operator of this level that comes next, taken; or none.
  std::optional<std::string> TakeOperator(size_t level) {
    if (tokens_.Now().kind != Token::kSymbol && tokens_.Now().kind != Token::kName)
      return std::nullopt;
    std::string name = tokens_.Now().text;
    const bool is_not_in =
        tokens_.IsWord("not") && tokens_.Next().kind == Token::kName && tokens_.Next().text == "in";
    if (is_not_in) name = "not in";
    if (std::ranges::find(kLevels[level], name) == std::end(kLevels[level])) return std::nullopt;
    tokens_.Skip(is_not_in ? 2 : 1);
    return name;
  }

  Result<ExpressionPointer> ParseBinary(size_t level) {
    if (level == std::size(kLevels)) return ParseTests();
    const int line = tokens_.Now().line;
    if (level == kNotLevel) {
      if (!tokens_.TakeWord("not")) return ParseBinary(level + 1);
      const Level nested(&brackets_);
      BITFETCH_RETURN_IF_ERROR(CheckBrackets());
      BITFETCH_ASSIGN_OR_RETURN(ExpressionPointer operand, ParseBinary(level));
      return Join(Expression::kUnary, line, "not", std::move(operand));
    }
    BITFETCH_ASSIGN_OR_RETURN(ExpressionPointer left, ParseBinary(level + 1));
    while (std::optional<std::string> name = TakeOperator(level)) {
      BITFETCH_ASSIGN_OR_RETURN(ExpressionPointer right, ParseBinary(level + 1));
      BITFETCH_ASSIGN_OR_RETURN(left, Join(Expression::kBinary, line, *std::move(name),
                                           std::move(left), std::move(right)));
    }
    return left;
  }

  Result<ExpressionPointer> ParseTests() {
    BITFETCH_ASSIGN_OR_RETURN(ExpressionPointer operand, ParseFilters());
    while (tokens_.TakeWord("is")) {
      const int line = tokens_.Now().line;
      const bool negated = tokens_.TakeWord("not");
      BITFETCH_ASSIGN_OR_RETURN(std::string name, tokens_.TakeName());
      BITFETCH_ASSIGN_OR_RETURN(operand,
                                Join(Expression::kTest, line, std::move(name), std::move(operand)));
      operand->negated = negated;
    }
    return operand;
  }

  Result<ExpressionPointer> ParseFilters() {
    BITFETCH_ASSIGN_OR_RETURN(ExpressionPointer operand, ParseSigned());
    while (tokens_.TakeSymbol("|")) {
      ExpressionPointer filter = NewExpression(Expression::kFilter, tokens_.Now().line);
      BITFETCH_ASSIGN_OR_RETURN(filter->name, tokens_.TakeName());
      filter->operands.push_back(std::move(operand));
      if (tokens_.TakeSymbol("(")) BITFETCH_RETURN_IF_ERROR(ParseArguments(filter.get()));
      BITFETCH_ASSIGN_OR_RETURN(operand, Deepen(std::move(filter)));
    }
    return operand;
  }

  Result<ExpressionPointer> ParseSigned() {
    if (!tokens_.IsSymbol("-") && !tokens_.IsSymbol("+")) return ParseMembers();
    const Level level(&brackets_);
    BITFETCH_RETURN_IF_ERROR(CheckBrackets());
    const int line = tokens_.Now().line;
    std::string sign = tokens_.Take().text;
    BITFETCH_ASSIGN_OR_RETURN(ExpressionPointer operand, ParseSigned());
    return Join(Expression::kUnary, line, std::move(sign), std::move(operand));
  }

  Result<ExpressionPointer> ParseMembers() {
    BITFETCH_ASSIGN_OR_RETURN(ExpressionPointer object, ParsePrimary());
    while (true) {
      const int line = tokens_.Now().line;
      if (tokens_.TakeSymbol(".")) {
        if (tokens_.Now().kind != Token::kName && tokens_.Now().kind != Token::kNumber)
          return tokens_.Unexpected();
        ExpressionPointer key = NewExpression(Expression::kLiteral, line);
        if (tokens_.Now().kind == Token::kNumber) {
          key->literal = TakeNumber();
        } else {
          key->literal = Value::Own(tokens_.Take().text);
        }
        BITFETCH_ASSIGN_OR_RETURN(
            object, Join(Expression::kMember, line, "", std::move(object), std::move(key)));
      } else if (tokens_.TakeSymbol("[")) {
        BITFETCH_ASSIGN_OR_RETURN(object, ParseSubscript(std::move(object), line));
      } else if (tokens_.TakeSymbol("(")) {
        ExpressionPointer call = NewExpression(Expression::kCall, line);
        call->operands.push_back(std::move(object));
        BITFETCH_RETURN_IF_ERROR(ParseArguments(call.get()));
        BITFETCH_ASSIGN_OR_RETURN(object, Deepen(std::move(call)));
      } else {
        return object;
      }
    }
  }

  // a[b], or a[b:c:d] of which each may be left out.
  Result<ExpressionPointer> ParseSubscript(ExpressionPointer object, int line) {
    std::vector<ExpressionPointer> parts(1);
    while (!tokens_.IsSymbol("]")) {
      if (tokens_.TakeSymbol(":")) {
        parts.emplace_back();
        if (parts.size() > 3) return tokens_.Unexpected();
      } else if (parts.back() == nullptr) {
        BITFETCH_ASSIGN_OR_RETURN(parts.back(), ParseExpression());
      } else {
        return tokens_.Unexpected();
      }
    }
    if (parts.size() == 1) {
      if (!parts[0]) return tokens_.Unexpected();
      tokens_.Skip(1);
      return Join(Expression::kMember, line, "", std::move(object), std::move(parts[0]));
    }
    tokens_.Skip(1);
    parts.resize(3);
    return Join(Expression::kSlice, line, "", std::move(object), std::move(parts[0]),
                std::move(parts[1]), std::move(parts[2]));
  }

  // Up to the bracket that closes.
  Status ParseArguments(Expression* call) {
    while (!tokens_.TakeSymbol(")")) {
      if (tokens_.Now().kind == Token::kName && tokens_.NextIsSymbol("=")) {
        std::string name = tokens_.Take().text;
        tokens_.Skip(1);
        BITFETCH_ASSIGN_OR_RETURN(ExpressionPointer value, ParseExpression());
        call->keywords.emplace_back(std::move(name), std::move(value));
      } else {
        if (!call->keywords.empty()) {
          return tokens_.FailHere("an argument without a name comes behind one that has a name");
        }
        BITFETCH_ASSIGN_OR_RETURN(ExpressionPointer value, ParseExpression());
        call->operands.push_back(std::move(value));
      }
      if (!tokens_.TakeSymbol(",") && !tokens_.IsSymbol(")")) return tokens_.Unexpected();
    }
    return {};
  }

  Value TakeNumber() {
    const std::string text = tokens_.Take().text;
    double number = 0;
    std::from_chars(text.data(), text.data() + text.size(), number);
    return Number{number, text.find('.') != std::string::npos};
  }

  Result<ExpressionPointer> ParsePrimary() {
    const int line = tokens_.Now().line;
    if (tokens_.Now().kind == Token::kNumber) {
      ExpressionPointer literal = NewExpression(Expression::kLiteral, line);
      literal->literal = TakeNumber();
      return literal;
    }
    if (tokens_.Now().kind == Token::kString) {
      std::string text;
      while (tokens_.Now().kind == Token::kString) text += tokens_.Take().text;
      ExpressionPointer literal = NewExpression(Expression::kLiteral, line);
      literal->literal = Value::Own(std::move(text));
      return literal;
    }
    if (tokens_.Now().kind == Token::kName) {
      ExpressionPointer name = NewExpression(Expression::kName, line);
      name->name = tokens_.Take().text;
      return name;
    }
    if (tokens_.TakeSymbol("(")) {
      BITFETCH_ASSIGN_OR_RETURN(ExpressionPointer inner, ParseSequence());
      BITFETCH_RETURN_IF_ERROR(tokens_.ExpectSymbol(")"));
      return inner;
    }
    if (tokens_.TakeSymbol("[")) return ParseItems(NewExpression(Expression::kList, line), "]");
    if (tokens_.TakeSymbol("{")) return ParseItems(NewExpression(Expression::kDict, line), "}");
    return tokens_.Unexpected();
  }

  // Of a list or a dict, up to the bracket that closes.
  Result<ExpressionPointer> ParseItems(ExpressionPointer node, std::string_view close) {
    while (!tokens_.TakeSymbol(close)) {
      BITFETCH_ASSIGN_OR_RETURN(ExpressionPointer item, ParseExpression());
      node->operands.push_back(std::move(item));
      if (node->kind == Expression::kDict) {
        BITFETCH_RETURN_IF_ERROR(tokens_.ExpectSymbol(":"));
        BITFETCH_ASSIGN_OR_RETURN(ExpressionPointer value, ParseExpression());
        node->operands.push_back(std::move(value));
      }
      if (!tokens_.TakeSymbol(",") && !tokens_.IsSymbol(close)) return tokens_.Unexpected();
    }
    return Deepen(std::move(node));
  }

  TokenCursor& tokens_;
  int brackets_ = 0;
};

}  // namespace

Result<ExpressionPointer> ParseExpression(TokenCursor& tokens) {
  return ExpressionParser(tokens).ParseExpression();
}

Result<ExpressionPointer> ParseSequence(TokenCursor& tokens) {
  return ExpressionParser(tokens).ParseSequence();
}

}  // namespace bitfetch::jinja
