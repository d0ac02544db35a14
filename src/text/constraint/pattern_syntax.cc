// SPDX-License-Identifier: Apache-2.0
#include "text/constraint/pattern_syntax.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "text/constraint/characters.h"

namespace bitfetch {
namespace {

constexpr int kMaxGroups = 64;       // inside each other
constexpr int kMaxRepeats = 10'000;  // more would be too large anyhow

class PatternParser {
 public:
  explicit PatternParser(std::u32string text) : text_(std::move(text)) {}

  Result<PatternPart> Parse() {
    BITFETCH_ASSIGN_OR_RETURN(PatternPart all, Either());
    if (at_ < text_.size()) return Fail("has a ')' too many");
    return all;
  }

 private:
  bool Next(char32_t c) const { return at_ < text_.size() && text_[at_] == c; }
  bool Take(std::u32string_view what) {
    const bool is_next = std::u32string_view(text_).substr(at_).starts_with(what);
    if (is_next) at_ += what.size();
    return is_next;
  }

  Result<PatternPart> Either() {
    PatternPart either{.kind = PatternPart::kEither};
    do {
      BITFETCH_ASSIGN_OR_RETURN(PatternPart sequence, Sequence());
      either.parts.push_back(std::move(sequence));
    } while (Take(U"|"));
    return either;
  }

  Result<PatternPart> Sequence() {
    PatternPart sequence{.kind = PatternPart::kSequence};
    while (at_ < text_.size() && !Next('|') && !Next(')')) {
      BITFETCH_ASSIGN_OR_RETURN(PatternPart atom, Atom());
      BITFETCH_ASSIGN_OR_RETURN(PatternPart repeated, Repeated(std::move(atom)));
      sequence.parts.push_back(std::move(repeated));
    }
    return sequence;
  }

  Result<PatternPart> Atom() {
    if (Take(U"^")) return PatternPart{.kind = PatternPart::kBegin};
    if (Take(U"$")) return PatternPart{.kind = PatternPart::kEnd};
    if (Take(U"(")) return Group();
    if (Take(U"[")) return Class();
    if (Take(U".")) return Character(LineEnds().Complement());
    if (Take(U"\\")) {
      BITFETCH_ASSIGN_OR_RETURN(CharSet set, Escape(false));
      return Character(std::move(set));
    }
    if (Next('*') || Next('+') || Next('?')) return Fail("repeats nothing");
    return Character(CharSet(text_[at_++]));
  }

  static PatternPart Character(CharSet set) {
    return {.kind = PatternPart::kCharacter, .set = std::move(set)};
  }
  static CharSet LineEnds() { return CharSet({{'\n', '\n'}, {'\r', '\r'}, {0x2028, 0x2029}}); }

  Result<PatternPart> Group() {
    if (Take(U"?=") || Take(U"?!") || Take(U"?<=") || Take(U"?<!")) {
      return Fail("looks ahead or back, which is not supported");
    }
    if (Take(U"?<")) {
      while (at_ < text_.size() && text_[at_] != '>') ++at_;
      if (!Take(U">")) return Fail("has a group without an end");
    } else if (!Take(U"?:") && Next('?')) {
      return Fail("has a group of a kind that is not supported");
    }
    if (++groups_ > kMaxGroups) return Fail("has over {} groups inside each other", kMaxGroups);
    BITFETCH_ASSIGN_OR_RETURN(PatternPart group, Either());
    --groups_;
    if (!Take(U")")) return Fail("has a group without an end");
    return group;
  }

  Result<PatternPart> Repeated(PatternPart part) {
    int min = 1;
    int max = 1;
    if (Take(U"*")) {
      min = 0;
      max = PatternPart::kUnbounded;
    } else if (Take(U"+")) {
      max = PatternPart::kUnbounded;
    } else if (Take(U"?")) {
      min = 0;
    } else if (!Counts(&min, &max)) {
      return part;
    }
    Take(U"?");  // which match is found first does not matter
    if (part.kind == PatternPart::kBegin || part.kind == PatternPart::kEnd) {
      return Fail("repeats '^' or '$', which is not supported");
    }
    if (max != PatternPart::kUnbounded && min > max) return Fail("repeats from {} to {}", min, max);
    if (std::max(min, max) > kMaxRepeats) return Fail("is too large");
    PatternPart repeat{.kind = PatternPart::kRepeat, .min = min, .max = max};
    repeat.parts.push_back(std::move(part));
    return repeat;
  }

  // {2}, {2,} or {2,3}. Other braces are characters.
  bool Counts(int* min, int* max) {
    const size_t begin = at_;
    if (Take(U"{")) {
      const std::optional<int> low = Whole();
      const bool has_comma = low && Take(U",");
      const std::optional<int> high = has_comma ? Whole() : low;
      if (low && Take(U"}")) {
        *min = *low;
        *max = high.value_or(PatternPart::kUnbounded);
        return true;
      }
    }
    at_ = begin;
    return false;
  }

  std::optional<int> Whole() {
    if (at_ == text_.size() || !IsDigit(text_[at_])) return std::nullopt;
    int number = 0;
    for (; at_ < text_.size() && IsDigit(text_[at_]); ++at_) {
      number = std::min<int>(10 * number + static_cast<int>(text_[at_] - '0'), 1'000'000);
    }
    return number;
  }
  static bool IsDigit(char32_t c) { return c >= '0' && c <= '9'; }

  Result<PatternPart> Class() {
    const bool is_negated = Take(U"^");
    CharSet all;
    while (!Take(U"]")) {
      BITFETCH_ASSIGN_OR_RETURN(CharSet set, ClassMember());
      const bool is_range = Next('-') && at_ + 1 < text_.size() && text_[at_ + 1] != ']';
      if (is_range) {
        ++at_;
        BITFETCH_ASSIGN_OR_RETURN(const CharSet last, ClassMember());
        if (!IsOne(set) || !IsOne(last) || FirstOf(set) > FirstOf(last)) {
          return Fail("has a range of characters that is none");
        }
        set = CharSet({{FirstOf(set), FirstOf(last)}});
      }
      all = all.Union(set);
    }
    return Character(is_negated ? all.Complement() : std::move(all));
  }
  static char32_t FirstOf(const CharSet& set) { return set.ranges().front().first; }
  static bool IsOne(const CharSet& set) {
    return set.ranges().size() == 1 && FirstOf(set) == set.ranges().front().last;
  }

  Result<CharSet> ClassMember() {
    if (at_ == text_.size()) return Fail("has a '[' without an end");
    if (Take(U"\\")) return Escape(true);
    return CharSet(text_[at_++]);
  }

  // Behind the backslash.
  Result<CharSet> Escape(bool in_class) {
    if (at_ == text_.size()) return Fail("ends in a backslash");
    const char32_t c = text_[at_++];
    const CharSet digits({{'0', '9'}});
    const CharSet words({{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}});
    const CharSet spaces({{'\t', '\r'},
                          {' ', ' '},
                          {0xa0, 0xa0},
                          {0x1680, 0x1680},
                          {0x2000, 0x200a},
                          {0x2028, 0x2029},
                          {0x202f, 0x202f},
                          {0x205f, 0x205f},
                          {0x3000, 0x3000},
                          {0xfeff, 0xfeff}});
    switch (c) {
      case 'd':
        return digits;
      case 'D':
        return digits.Complement();
      case 'w':
        return words;
      case 'W':
        return words.Complement();
      case 's':
        return spaces;
      case 'S':
        return spaces.Complement();
      case 't':
        return CharSet('\t');
      case 'n':
        return CharSet('\n');
      case 'v':
        return CharSet('\v');
      case 'f':
        return CharSet('\f');
      case 'r':
        return CharSet('\r');
      case 'x':
        return Hex(2);
      case 'u':
        return Hex(4);
      case '0':
        return CharSet(U'\0');
      case 'b':
        if (in_class) return CharSet('\b');
        break;
      default:
        break;
    }
    const bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || IsDigit(c);
    if (is_letter) {
      return Fail("has '\\{}', which is not supported", static_cast<char>(c));
    }
    return CharSet(c);
  }

  Result<CharSet> Hex(int digits) {
    const bool has_braces = digits == 4 && Take(U"{");
    char32_t number = 0;
    int taken = 0;
    for (; at_ < text_.size() && taken < (has_braces ? 6 : digits); ++at_, ++taken) {
      const char32_t c = text_[at_];
      const int digit = IsDigit(c)             ? static_cast<int>(c - '0')
                        : c >= 'a' && c <= 'f' ? static_cast<int>(c - 'a') + 10
                        : c >= 'A' && c <= 'F' ? static_cast<int>(c - 'A') + 10
                                               : -1;
      if (digit < 0) break;
      number = number * 16 + digit;
    }
    const bool is_whole = has_braces ? taken > 0 && Take(U"}") : taken == digits;
    CharSet set(number);
    if (!is_whole || set.ranges().empty()) return Fail("has an escape of no character");
    return set;
  }

  std::u32string text_;
  size_t at_ = 0;
  int groups_ = 0;
};

}  // namespace

Result<PatternPart> ParsePattern(std::string_view pattern) {
  return PatternParser(Characters(pattern)).Parse();
}

}  // namespace bitfetch
