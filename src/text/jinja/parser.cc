// SPDX-License-Identifier: Apache-2.0
#include "text/jinja/parser.h"

#include <algorithm>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "base/printable.h"
#include "text/jinja/expressions.h"
#include "text/jinja/lexer.h"
#include "text/jinja/token_cursor.h"

namespace bitfetch::jinja {
namespace {

constexpr size_t kMaxBytes = size_t{1} << 20;
constexpr int kMaxBlockDepth = 100;

class Parser {
 public:
  explicit Parser(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

  Result<Block> Run() {
    BITFETCH_ASSIGN_OR_RETURN(Block block, ParseBlock({}));
    if (tokens_.Now().kind != Token::kEnd) return tokens_.Unexpected();
    return block;
  }

 private:
  // Whether {% and one of these words come next.
  bool IsTag(std::initializer_list<std::string_view> words) const {
    return tokens_.Now().kind == Token::kOpenStatement && tokens_.Next().kind == Token::kName &&
           std::ranges::find(words, tokens_.Next().text) != words.end();
  }
  Status TakeTag(std::string_view word) {
    if (!IsTag({word})) return tokens_.Unexpected();
    tokens_.Skip(2);
    return tokens_.Expect(Token::kCloseStatement);
  }

  // Up to a tag of one of these words, or the end.
  Result<Block> ParseBlock(std::initializer_list<std::string_view> ends) {
    const Level level(&block_depth_);
    if (block_depth_ > kMaxBlockDepth) {
      return tokens_.FailHere("blocks are more than {} levels deep", kMaxBlockDepth);
    }
    Block block;
    while (tokens_.Now().kind != Token::kEnd && !IsTag(ends)) {
      const int line = tokens_.Now().line;
      if (tokens_.Now().kind == Token::kText) {
        auto text = NewExpression(Expression::kLiteral, line);
        text->literal = Value::Own(tokens_.Take().text);
        block.push_back({line, Print{std::move(text)}});
      } else if (tokens_.TakeKind(Token::kOpenPrint)) {
        BITFETCH_ASSIGN_OR_RETURN(ExpressionPointer value, ParseExpression(tokens_));
        BITFETCH_RETURN_IF_ERROR(tokens_.Expect(Token::kClosePrint));
        block.push_back({line, Print{std::move(value)}});
      } else {
        BITFETCH_RETURN_IF_ERROR(tokens_.Expect(Token::kOpenStatement));
        BITFETCH_RETURN_IF_ERROR(ParseStatement(line, &block));
      }
    }
    return block;
  }

  Status ParseStatement(int line, Block* block) {
    const bool known = tokens_.Now().kind == Token::kName;
    if (known && tokens_.TakeWord("set")) {
      BITFETCH_ASSIGN_OR_RETURN(Set set, ParseSet());
      block->push_back({line, std::move(set)});
    } else if (known && tokens_.TakeWord("if")) {
      BITFETCH_ASSIGN_OR_RETURN(If branches, ParseIf());
      block->push_back({line, std::move(branches)});
    } else if (known && tokens_.TakeWord("for")) {
      BITFETCH_ASSIGN_OR_RETURN(For loop, ParseFor());
      block->push_back({line, std::move(loop)});
    } else if (known && tokens_.TakeWord("macro")) {
      BITFETCH_ASSIGN_OR_RETURN(Macro macro, ParseMacro());
      block->push_back({line, std::move(macro)});
    } else if (tokens_.IsWord("break") || tokens_.IsWord("continue")) {
      if (loop_depth_ == 0)
        return tokens_.FailHere("'{}' is outside of a loop", tokens_.Now().text);
      block->push_back({line, tokens_.Take().text == "break" ? Jump::kBreak : Jump::kContinue});
      return tokens_.Expect(Token::kCloseStatement);
    } else if (tokens_.IsWord("generation") || tokens_.IsWord("endgeneration")) {
      tokens_.Skip(1);  // marks what a model is trained on
      return tokens_.Expect(Token::kCloseStatement);
    } else {
      return tokens_.FailHere("the statement '{}' is not known", Printable(tokens_.Now().text, 40));
    }
    return {};
  }

  Result<std::vector<std::string>> TakeNames() {
    std::vector<std::string> names;
    do {
      BITFETCH_ASSIGN_OR_RETURN(std::string name, tokens_.TakeName());
      names.push_back(std::move(name));
    } while (tokens_.TakeSymbol(","));
    return names;
  }

  Result<Set> ParseSet() {
    Set set;
    if (tokens_.NextIsSymbol(".")) {
      set.name_space = NewExpression(Expression::kName, tokens_.Now().line);
      BITFETCH_ASSIGN_OR_RETURN(set.name_space->name, tokens_.TakeName());
      tokens_.Skip(1);
      BITFETCH_ASSIGN_OR_RETURN(std::string name, tokens_.TakeName());
      set.names.push_back(std::move(name));
    } else {
      const bool brackets = tokens_.TakeSymbol("(");
      BITFETCH_ASSIGN_OR_RETURN(set.names, TakeNames());
      if (brackets) BITFETCH_RETURN_IF_ERROR(tokens_.ExpectSymbol(")"));
    }
    if (tokens_.TakeSymbol("=")) {
      BITFETCH_ASSIGN_OR_RETURN(set.value, ParseSequence(tokens_));
      BITFETCH_RETURN_IF_ERROR(tokens_.Expect(Token::kCloseStatement));
      return set;
    }
    BITFETCH_RETURN_IF_ERROR(tokens_.Expect(Token::kCloseStatement));
    BITFETCH_ASSIGN_OR_RETURN(set.body, ParseBlock({"endset"}));
    BITFETCH_RETURN_IF_ERROR(TakeTag("endset"));
    return set;
  }

  Result<If> ParseIf() {
    If branches;
    BITFETCH_ASSIGN_OR_RETURN(ExpressionPointer condition, ParseExpression(tokens_));
    while (true) {
      BITFETCH_RETURN_IF_ERROR(tokens_.Expect(Token::kCloseStatement));
      const bool is_last = condition == nullptr;
      BITFETCH_ASSIGN_OR_RETURN(
          Block body, is_last ? ParseBlock({"endif"}) : ParseBlock({"elif", "else", "endif"}));
      branches.branches.push_back({std::move(condition), std::move(body)});
      if (is_last || IsTag({"endif"})) break;
      if (tokens_.Now().kind == Token::kEnd) return tokens_.Unexpected();
      tokens_.Skip(1);
      if (tokens_.Take().text == "elif") {
        BITFETCH_ASSIGN_OR_RETURN(condition, ParseExpression(tokens_));
      }
    }
    BITFETCH_RETURN_IF_ERROR(TakeTag("endif"));
    return branches;
  }

  Result<For> ParseFor() {
    For loop;
    const bool brackets = tokens_.TakeSymbol("(");
    BITFETCH_ASSIGN_OR_RETURN(loop.names, TakeNames());
    if (brackets) BITFETCH_RETURN_IF_ERROR(tokens_.ExpectSymbol(")"));
    if (!tokens_.TakeWord("in")) return tokens_.Unexpected();
    BITFETCH_ASSIGN_OR_RETURN(loop.items, ParseExpression(tokens_));
    if (loop.items->kind == Expression::kConditional && loop.items->operands.size() == 2) {
      loop.condition = std::move(loop.items->operands[1]);
      loop.items = ExpressionPointer(std::move(loop.items->operands[0]));
    }
    BITFETCH_RETURN_IF_ERROR(tokens_.Expect(Token::kCloseStatement));
    {
      const Level level(&loop_depth_);
      BITFETCH_ASSIGN_OR_RETURN(loop.body, ParseBlock({"else", "endfor"}));
    }
    if (IsTag({"else"})) {
      BITFETCH_RETURN_IF_ERROR(TakeTag("else"));
      BITFETCH_ASSIGN_OR_RETURN(loop.otherwise, ParseBlock({"endfor"}));
    }
    BITFETCH_RETURN_IF_ERROR(TakeTag("endfor"));
    return loop;
  }

  Result<Macro> ParseMacro() {
    Macro macro;
    BITFETCH_ASSIGN_OR_RETURN(macro.name, tokens_.TakeName());
    BITFETCH_RETURN_IF_ERROR(tokens_.ExpectSymbol("("));
    while (!tokens_.TakeSymbol(")")) {
      Macro::Parameter parameter;
      BITFETCH_ASSIGN_OR_RETURN(parameter.name, tokens_.TakeName());
      if (tokens_.TakeSymbol("=")) {
        BITFETCH_ASSIGN_OR_RETURN(parameter.usual, ParseExpression(tokens_));
      }
      macro.parameters.push_back(std::move(parameter));
      if (!tokens_.TakeSymbol(",") && !tokens_.IsSymbol(")")) return tokens_.Unexpected();
    }
    BITFETCH_RETURN_IF_ERROR(tokens_.Expect(Token::kCloseStatement));
    const int loops = std::exchange(loop_depth_, 0);  // none of them is this macro's
    BITFETCH_ASSIGN_OR_RETURN(macro.body, ParseBlock({"endmacro"}));
    loop_depth_ = loops;
    BITFETCH_RETURN_IF_ERROR(TakeTag("endmacro"));
    return macro;
  }

  TokenCursor tokens_;
  int block_depth_ = 0;
  int loop_depth_ = 0;
};

}  // namespace

Result<Block> Parse(std::string_view source) {
  if (source.size() > kMaxBytes) {
    return Fail("it has {} bytes: more than {} are no template", source.size(), kMaxBytes);
  }
  BITFETCH_ASSIGN_OR_RETURN(std::vector<Token> tokens, Tokenize(source));
  return Parser(std::move(tokens)).Run();
}

}  // namespace bitfetch::jinja
