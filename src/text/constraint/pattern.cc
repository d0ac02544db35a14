// SPDX-License-Identifier: Apache-2.0
#include "text/constraint/pattern.h"

#include <span>
#include <utility>

#include "text/constraint/pattern_syntax.h"

namespace bitfetch {
namespace {

constexpr int kNowhere = -1;

// From the end: each part is given what it goes on with.
class PatternBuilder {
 public:
  std::vector<Pattern::Node> nodes = {{.kind = Pattern::Node::kEnd}};

  // A match, and what is before and behind it in the text.
  Result<int> Anywhere(const PatternPart& either) {
    int any = kNowhere;
    for (const PatternPart& alternative : either.parts) {
      std::span<const PatternPart> parts = alternative.parts;
      if (parts.size() == 1 && parts[0].kind == PatternPart::kEither) {
        BITFETCH_ASSIGN_OR_RETURN(const int inner, Anywhere(parts[0]));
        any = Either(any, inner);
        continue;
      }
      const bool from_begin = !parts.empty() && parts.front().kind == PatternPart::kBegin;
      if (from_begin) parts = parts.subspan(1);
      const bool to_end = !parts.empty() && parts.back().kind == PatternPart::kEnd;
      if (to_end) parts = parts.first(parts.size() - 1);
      const int end = to_end ? 0 : AnyCharacters(0);
      BITFETCH_ASSIGN_OR_RETURN(const int match, Sequence(parts, end));
      any = Either(any, from_begin ? match : AnyCharacters(match));
    }
    if (nodes.size() == Pattern::kMaxNodes) return Fail("is too large");
    return any;
  }

 private:
  int Add(Pattern::Node node) {
    if (nodes.size() < Pattern::kMaxNodes) nodes.push_back(std::move(node));
    return static_cast<int>(nodes.size() - 1);
  }
  int Either(int a, int b) {
    if (a == kNowhere) return b;
    return Add({.kind = Pattern::Node::kEither, .next = a, .other = b});
  }
  int AnyCharacters(int next) {
    const int loop = Add({.kind = Pattern::Node::kEither, .other = next});
    const CharSet all = CharSet::All();
    const int body = Add({.kind = Pattern::Node::kCharacter, .next = loop, .set = all});
    nodes[loop].next = body;
    return loop;
  }

  Result<int> Sequence(std::span<const PatternPart> parts, int next) {
    for (; !parts.empty(); parts = parts.first(parts.size() - 1)) {
      BITFETCH_ASSIGN_OR_RETURN(next, Part(parts.back(), next));
    }
    return next;
  }

  Result<int> Part(const PatternPart& part, int next) {
    if (++parts_ > Pattern::kMaxNodes || nodes.size() == Pattern::kMaxNodes) {
      return Fail("is too large");
    }
    switch (part.kind) {
      case PatternPart::kCharacter:
        return Add({.kind = Pattern::Node::kCharacter, .next = next, .set = part.set});
      case PatternPart::kBegin:
      case PatternPart::kEnd:
        return Fail("has '^' or '$' elsewhere than at an end, which is not supported");
      case PatternPart::kSequence:
        return Sequence(part.parts, next);
      case PatternPart::kEither: {
        int any = kNowhere;
        for (const PatternPart& one : part.parts) {
          BITFETCH_ASSIGN_OR_RETURN(const int entry, Part(one, next));
          any = Either(any, entry);
        }
        return any;
      }
      case PatternPart::kRepeat:
        return Repeat(part, next);
    }
    return next;
  }

  Result<int> Repeat(const PatternPart& part, int next) {
    const PatternPart& body = part.parts[0];
    if (part.max == PatternPart::kUnbounded) {
      const int loop = Add({.kind = Pattern::Node::kEither, .other = next});
      BITFETCH_ASSIGN_OR_RETURN(const int again, Part(body, loop));
      nodes[loop].next = again;
      next = loop;
    }
    const int end = next;
    for (int i = part.min; i < part.max; ++i) {
      BITFETCH_ASSIGN_OR_RETURN(const int once, Part(body, next));
      next = Either(once, end);
    }
    for (int i = 0; i < part.min; ++i) {
      BITFETCH_ASSIGN_OR_RETURN(next, Part(body, next));
    }
    return next;
  }

  size_t parts_ = 0;
};

}  // namespace

Result<Pattern> Pattern::Parse(std::string_view text) {
  BITFETCH_ASSIGN_OR_RETURN(const PatternPart syntax, ParsePattern(text));
  PatternBuilder builder;
  Pattern pattern;
  BITFETCH_ASSIGN_OR_RETURN(pattern.start_, builder.Anywhere(syntax));
  pattern.nodes_ = std::move(builder.nodes);
  return pattern;
}

}  // namespace bitfetch
