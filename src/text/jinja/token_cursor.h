// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_TEXT_JINJA_TOKEN_CURSOR_H_
#define BITFETCH_TEXT_JINJA_TOKEN_CURSOR_H_

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/printable.h"
#include "text/jinja/lexer.h"

namespace bitfetch::jinja {

// A template's tokens, taken one after the other; the last, kEnd, is never taken.
class TokenCursor {
 public:
  explicit TokenCursor(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

  const Token& Now() const { return tokens_[at_]; }
  const Token& Next() const { return tokens_[std::min(at_ + 1, tokens_.size() - 1)]; }
  void Skip(size_t count) { at_ += count; }
  Token Take() { return std::move(tokens_[at_++]); }

  bool IsSymbol(std::string_view text) const {
    return Now().kind == Token::kSymbol && Now().text == text;
  }
  bool NextIsSymbol(std::string_view text) const {
    return Next().kind == Token::kSymbol && Next().text == text;
  }
  bool IsWord(std::string_view word) const {
    return Now().kind == Token::kName && Now().text == word;
  }

  // Whether the token is that, which is taken then.
  bool TakeSymbol(std::string_view text) { return TakeIf(IsSymbol(text)); }
  bool TakeWord(std::string_view word) { return TakeIf(IsWord(word)); }
  bool TakeKind(Token::Kind kind) { return TakeIf(Now().kind == kind); }

  // The same where nothing else may be.
  Status Expect(Token::Kind kind) { return TakeKind(kind) ? Status() : Unexpected(); }
  Status ExpectSymbol(std::string_view text) { return TakeSymbol(text) ? Status() : Unexpected(); }
  Result<std::string> TakeName() {
    if (Now().kind != Token::kName) return Unexpected();
    return Take().text;
  }

  template <class... Args>
  tl::unexpected<Error> FailHere(fmt::format_string<Args...> format, Args&&... args) const {
    return Fail("line {}: {}", Now().line, fmt::format(format, std::forward<Args>(args)...));
  }
  tl::unexpected<Error> Unexpected() const {
    if (Now().kind == Token::kEnd) return FailHere("the template ends too early");
    if (Now().kind == Token::kText) return FailHere("text is not expected here");
    return FailHere("'{}' is not expected here", Printable(Now().text, 40));
  }

 private:
  bool TakeIf(bool is) {
    if (is) ++at_;
    return is;
  }

  std::vector<Token> tokens_;
  size_t at_ = 0;
};

// A level of something within itself, for as long as it lives.
class Level {
 public:
  explicit Level(int* level) : level_(level) { ++*level_; }
  ~Level() { --*level_; }
  Level(const Level&) = delete;
  Level& operator=(const Level&) = delete;

 private:
  int* level_;
};

}  // namespace bitfetch::jinja

#endif  // BITFETCH_TEXT_JINJA_TOKEN_CURSOR_H_
