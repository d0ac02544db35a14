// SPDX-License-Identifier: Apache-2.0
#include "text/jinja/lexer.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <utility>

#include "base/printable.h"
#include "text/jinja/white_space.h"

namespace bitfetch::jinja {
namespace {

constexpr std::string_view kSymbols[] = {"**", "//", "<=", ">=", "==", "!=", "(", ")", "[",
                                         "]",  "{",  "}",  ",",  ".",  ":",  "|", "<", ">",
                                         "+",  "-",  "~",  "*",  "/",  "%",  "="};

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsWord(char c) {
  return IsDigit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

void AppendUtf8(uint32_t point, std::string* out) {
  const auto tail = [&](int shift) {
    out->push_back(static_cast<char>(0x80 | ((point >> shift) & 0x3f)));
  };
  if (point < 0x80) {
    out->push_back(static_cast<char>(point));
  } else if (point < 0x800) {
    out->push_back(static_cast<char>(0xc0 | point >> 6));
    tail(0);
  } else if (point < 0x10000) {
    out->push_back(static_cast<char>(0xe0 | point >> 12));
    tail(6);
    tail(0);
  } else {
    out->push_back(static_cast<char>(0xf0 | point >> 18));
    tail(12);
    tail(6);
    tail(0);
  }
}

class Lexer {
 public:
  explicit Lexer(std::string_view source) : source_(source) {
    if (source_.ends_with('\n')) source_.remove_suffix(1);
  }

  Result<std::vector<Token>> Run() {
    while (at_ < source_.size()) {
      TakeText();
      if (at_ == source_.size()) break;
      const char kind = source_[at_ + 1];
      at_ += Rest().substr(2).starts_with('-') ? 3 : 2;
      if (kind == '#') {
        BITFETCH_RETURN_IF_ERROR(SkipComment());
      } else {
        BITFETCH_RETURN_IF_ERROR(TakeTag(kind == '{'));
      }
    }
    Add(Token::kEnd, "");
    return std::move(tokens_);
  }

 private:
  std::string_view Rest() const { return source_.substr(at_); }

  int Line() {
    line_ += static_cast<int>(std::count(source_.begin() + counted_, source_.begin() + at_, '\n'));
    counted_ = at_;
    return line_;
  }

  void Add(Token::Kind kind, std::string_view text) {
    tokens_.push_back({kind, std::string(text), Line()});
  }

  // The text before the next tag.
  void TakeText() {
    size_t open = at_;
    while ((open = source_.find('{', open)) != std::string_view::npos &&
           (open + 1 == source_.size() ||
            std::string_view("{%#").find(source_[open + 1]) == std::string_view::npos)) {
      ++open;
    }
    open = std::min(open, source_.size());
    std::string_view text = source_.substr(at_, open - at_);
    const std::string_view tag = source_.substr(open);
    if (tag.size() > 2 && tag[2] == '-') {
      text.remove_suffix(TrailingWhiteSpace(text));
    } else if (tag.starts_with("{%") || tag.starts_with("{#")) {
      const size_t last = text.find_last_not_of(" \t");
      const size_t blanks = last == std::string_view::npos ? at_ : at_ + last + 1;
      if (blanks == 0 || source_[blanks - 1] == '\n') text = text.substr(0, blanks - at_);
    }
    if (!text.empty()) Add(Token::kText, text);
    at_ = open;
  }

  // After a tag that ends in '-' or not; of others than {{ }} the line end goes too.
  void SkipAfterTag(bool strips, bool is_print) {
    if (strips) {
      at_ += LeadingWhiteSpace(Rest());
    } else if (!is_print && Rest().starts_with('\n')) {
      ++at_;
    }
  }

  Status SkipComment() {
    const size_t end = source_.find("#}", at_);
    if (end == std::string_view::npos) return Fail("line {}: a comment has no end", Line());
    const bool strips = end > at_ && source_[end - 1] == '-';
    at_ = end + 2;
    SkipAfterTag(strips, /*is_print=*/false);
    return {};
  }

  Status TakeTag(bool is_print) {
    const std::string_view close = is_print ? "}}" : "%}";
    const int line = Line();
    Add(is_print ? Token::kOpenPrint : Token::kOpenStatement, is_print ? "{{" : "{%");
    int braces = 0;  // of dicts: the two of "}}" are no end then
    while (true) {
      at_ += LeadingWhiteSpace(Rest());
      if (at_ == source_.size()) return Fail("line {}: a tag has no end", line);
      const bool strips = Rest().starts_with('-') && Rest().substr(1).starts_with(close);
      if (braces == 0 && (strips || Rest().starts_with(close))) {
        Add(is_print ? Token::kClosePrint : Token::kCloseStatement, close);
        at_ += strips ? 3 : 2;
        SkipAfterTag(strips, is_print);
        return {};
      }
      const char first = source_[at_];
      if (first == '{') ++braces;
      if (first == '}') --braces;
      BITFETCH_RETURN_IF_ERROR(TakeWord(first));
    }
  }

  Status TakeWord(char first) {
    if (first == '\'' || first == '"') return TakeString(first);
    size_t size = 0;
    if (IsDigit(first)) {
      const bool after_point = tokens_.back().kind == Token::kSymbol && tokens_.back().text == ".";
      size = CountWhile(0, IsDigit);
      if (!after_point && Rest().substr(size).starts_with('.')) {
        const size_t decimals = CountWhile(size + 1, IsDigit);
        if (decimals > 0) size += 1 + decimals;
      }
      Add(Token::kNumber, Rest().substr(0, size));
    } else if (IsWord(first)) {
      size = CountWhile(0, IsWord);
      Add(Token::kName, Rest().substr(0, size));
    } else {
      const auto* symbol = std::ranges::find_if(
          kSymbols, [&](std::string_view each) { return Rest().starts_with(each); });
      if (symbol == std::end(kSymbols)) {
        return Fail("line {}: '{}' is not expected in a tag", Line(),
                    Printable(Rest().substr(0, 1)));
      }
      size = symbol->size();
      Add(Token::kSymbol, *symbol);
    }
    at_ += size;
    return {};
  }

  size_t CountWhile(size_t from, bool (*is)(char)) const {
    const std::string_view rest = Rest();
    size_t end = from;
    while (end < rest.size() && is(rest[end])) ++end;
    return end - from;
  }

  Status TakeString(char quote) {
    const int line = Line();
    std::string text;
    for (++at_; at_ < source_.size() && source_[at_] != quote;) {
      if (source_[at_] != '\\') {
        text += source_[at_++];
        continue;
      }
      ++at_;
      BITFETCH_RETURN_IF_ERROR(TakeEscape(&text));
    }
    if (at_ == source_.size()) return Fail("line {}: a string has no end", line);
    ++at_;
    tokens_.push_back({Token::kString, std::move(text), line});
    return {};
  }

  Status TakeEscape(std::string* text) {
    constexpr std::string_view kLetters = "ntrbfv'\"\\";
    constexpr std::string_view kMeanings = "\n\t\r\b\f\v'\"\\";
    const char letter = at_ < source_.size() ? source_[at_] : '\0';
    if (letter == 'x' || letter == 'u') {
      BITFETCH_ASSIGN_OR_RETURN(uint32_t point, TakeHexadecimal(letter == 'x' ? 2 : 4));
      if (point >= 0xd800 && point < 0xdc00 && Rest().starts_with("\\u")) {
        ++at_;
        BITFETCH_ASSIGN_OR_RETURN(const uint32_t low, TakeHexadecimal(4));
        const bool is_pair = low >= 0xdc00 && low < 0xe000;
        if (!is_pair) AppendUtf8(0xfffd, text);
        point = is_pair ? 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00) : low;
      }
      AppendUtf8(point >= 0xd800 && point < 0xe000 ? 0xfffd : point, text);
      return {};
    }
    const size_t found = kLetters.find(letter);
    if (found == std::string_view::npos) {
      return Fail("line {}: '\\{}' is no escape", Line(), Printable(Rest().substr(0, 1)));
    }
    *text += kMeanings[found];
    ++at_;
    return {};
  }

  // The digits behind the letter at which the lexer is.
  Result<uint32_t> TakeHexadecimal(size_t digits) {
    const std::string_view text = Rest().substr(1, digits);
    uint32_t point = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), point, 16);
    if (text.size() < digits || end != text.data() + digits || error != std::errc()) {
      return Fail("line {}: '\\{}' is no escape", Line(), Printable(Rest().substr(0, digits + 1)));
    }
    at_ += 1 + digits;
    return point;
  }

  std::string_view source_;
  size_t at_ = 0;
  size_t counted_ = 0;  // the bytes that line_ is of
  int line_ = 1;
  std::vector<Token> tokens_;
};

}  // namespace

Result<std::vector<Token>> Tokenize(std::string_view source) { return Lexer(source).Run(); }

}  // namespace bitfetch::jinja
