// SPDX-License-Identifier: Apache-2.0
#include "text/constraint/json_grammar.h"

#include <algorithm>
#include <array>
#include <map>
#include <utility>

namespace bitfetch {
namespace {

using NodeId = Grammar::NodeId;

constexpr uint32_t kMaxIndent = 20;

struct Utf8Bytes {
  std::array<uint8_t, 4> bytes;
  int size;
};

Utf8Bytes Encode(char32_t c) {
  const auto tail = [&](int shift) { return static_cast<uint8_t>(0x80 | (c >> shift & 0x3f)); };
  if (c < 0x80) return {{static_cast<uint8_t>(c)}, 1};
  if (c < 0x800) return {{static_cast<uint8_t>(0xc0 | c >> 6), tail(0)}, 2};
  if (c < 0x10000) return {{static_cast<uint8_t>(0xe0 | c >> 12), tail(6), tail(0)}, 3};
  return {{static_cast<uint8_t>(0xf0 | c >> 18), tail(12), tail(6), tail(0)}, 4};
}

// The characters first .. last as UTF-8. Ranges of bytes one after another, where all but the first
// few characters and the last few have all continuations.
NodeId Utf8Range(char32_t first, char32_t last, NodeId next, GrammarBuilder* builder) {
  for (const char32_t end : {0x7f, 0x7ff, 0xffff}) {
    if (first <= end && last > end) {
      return builder->Either(Utf8Range(first, end, next, builder),
                             Utf8Range(end + 1, last, next, builder));
    }
  }
  for (int shift = 6; shift <= 18 && first >= 0x80; shift += 6) {
    const char32_t low = (char32_t{1} << shift) - 1;
    if ((first & ~low) == (last & ~low)) break;
    if ((first & low) != 0) {
      return builder->Either(Utf8Range(first, first | low, next, builder),
                             Utf8Range((first | low) + 1, last, next, builder));
    }
    if ((last & low) != low) {
      return builder->Either(Utf8Range(first, (last & ~low) - 1, next, builder),
                             Utf8Range(last & ~low, last, next, builder));
    }
  }
  const Utf8Bytes from = Encode(first);
  const Utf8Bytes to = Encode(last);
  for (int i = from.size - 1; i >= 0; --i) next = builder->Byte(from.bytes[i], to.bytes[i], next);
  return next;
}

// As it stands within a JSON string.
std::string Escaped(char character) {
  const std::string quoted = QuoteJson({&character, 1});
  return quoted.substr(1, quoted.size() - 2);
}

}  // namespace

NodeId JsonGrammar::Space(NodeId next) {
  if (indent_ == Grammar::kNone) indent_ = builder_.Literal(" ", GrammarBuilder::kReturn);
  const NodeId line = builder_.Literal("\n", builder_.Repeat(indent_, 0, kMaxIndent, next));
  return builder_.Either(next, builder_.Either(builder_.Literal(" ", next), line));
}

NodeId JsonGrammar::Colon(NodeId next) {
  return builder_.Literal(":", builder_.Either(builder_.Literal(" ", next), next));
}

NodeId JsonGrammar::Constant(const JsonValue& value, NodeId next) {
  if (const auto* list = value.As<JsonValue::List>()) {
    if (list->empty()) return builder_.Literal("[]", next);
    next = Space(builder_.Literal("]", next));
    for (size_t i = list->size(); i-- > 0;) {
      next = Constant((*list)[i], next);
      if (i > 0) next = Comma(next);
    }
    return builder_.Literal("[", Space(next));
  }
  if (const auto* object = value.As<JsonValue::Object>()) {
    if (object->empty()) return builder_.Literal("{}", next);
    next = Space(builder_.Literal("}", next));
    for (size_t i = object->size(); i-- > 0;) {
      const auto& [key, member] = (*object)[i];
      next = builder_.Literal(QuoteJson(key), Colon(Constant(member, next)));
      if (i > 0) next = Comma(next);
    }
    return builder_.Literal("{", Space(next));
  }
  return builder_.Literal(WriteJson(value), next);
}

NodeId JsonGrammar::Constants(std::vector<std::string> texts, NodeId next) {
  std::ranges::sort(texts);
  // What begins alike is there once, so that few ways are open at a time.
  const auto add = [&](const auto& self, auto first, auto last, size_t depth) -> NodeId {
    NodeId any = Grammar::kNone;
    if (first != last && first->size() == depth) {
      any = next;
      while (first != last && first->size() == depth) ++first;
    }
    while (first != last) {
      const char byte = (*first)[depth];
      const auto end =
          std::find_if(first, last, [&](const std::string& text) { return text[depth] != byte; });
      // What they share further on.
      size_t shared = depth + 1;
      while (shared < first->size() && shared < (end - 1)->size() &&
             (*first)[shared] == (*(end - 1))[shared]) {
        ++shared;
      }
      const NodeId rest = self(self, first, end, shared);
      any = builder_.Either(
          builder_.Literal(std::string_view(*first).substr(depth, shared - depth), rest), any);
      first = end;
    }
    return any;
  };
  return add(add, texts.cbegin(), texts.cend(), 0);
}

NodeId JsonGrammar::AnyValue(NodeId next) {
  if (value_ == Grammar::kNone) {
    value_ = builder_.Declare();
    constexpr NodeId kReturn = GrammarBuilder::kReturn;
    NodeId any = builder_.Either(Bool(kReturn), builder_.Literal("null", kReturn));
    any = builder_.Either(Number(kReturn), any);
    any = builder_.Either(AnyArray(kReturn), any);
    any = builder_.Either(AnyObject(kReturn), any);
    builder_.Define(value_, builder_.Either(String(0, Grammar::kUnbounded, kReturn), any));
  }
  return builder_.Call(value_, next);
}

NodeId JsonGrammar::AnyObject(NodeId next) {
  const auto member = [&](NodeId behind) {
    return String(0, Grammar::kUnbounded, Colon(AnyValue(behind)));
  };
  const NodeId end = builder_.Literal("}", next);
  const NodeId more =
      builder_.Repeat(Comma(member(GrammarBuilder::kReturn)), 0, Grammar::kUnbounded, Space(end));
  return builder_.Literal("{", Space(builder_.Either(member(more), end)));
}

NodeId JsonGrammar::AnyArray(NodeId next) {
  const NodeId end = builder_.Literal("]", next);
  const NodeId more =
      builder_.Repeat(Comma(AnyValue(GrammarBuilder::kReturn)), 0, Grammar::kUnbounded, Space(end));
  return builder_.Literal("[", Space(builder_.Either(AnyValue(more), end)));
}

NodeId JsonGrammar::Bool(NodeId next) {
  return builder_.Either(builder_.Literal("true", next), builder_.Literal("false", next));
}

NodeId JsonGrammar::Digits(uint32_t min, uint32_t max, NodeId next) {
  if (digit_ == Grammar::kNone) digit_ = builder_.Byte('0', '9', GrammarBuilder::kReturn);
  return builder_.Repeat(digit_, min, max, next);
}

NodeId JsonGrammar::Integer(NodeId next) {
  const NodeId digits =
      builder_.Either(builder_.Byte('1', '9', Digits(0, 17, next)), builder_.Literal("0", next));
  return builder_.Either(digits, builder_.Literal("-", digits));
}

NodeId JsonGrammar::Number(NodeId next) {
  const NodeId digits = Digits(1, 2, next);
  const NodeId sign = builder_.Either(
      digits, builder_.Either(builder_.Literal("-", digits), builder_.Literal("+", digits)));
  const NodeId exponent = builder_.Either(builder_.Literal("e", sign), builder_.Literal("E", sign));
  next = builder_.Either(next, exponent);
  return Integer(builder_.Either(next, builder_.Literal(".", Digits(1, 17, next))));
}

NodeId JsonGrammar::String(uint32_t min, uint32_t max, NodeId next) {
  return builder_.Literal("\"",
                          builder_.Repeat(AnyCharacter(), min, max, builder_.Literal("\"", next)));
}

NodeId JsonGrammar::AnyCharacter() {
  if (character_ == Grammar::kNone) {
    character_ = Character(CharSet::All(), GrammarBuilder::kReturn);
  }
  return character_;
}

NodeId JsonGrammar::Controls() {
  if (control_ == Grammar::kNone) {
    std::vector<std::string> escapes;
    for (char c = 0; c < ' '; ++c) escapes.push_back(Escaped(c));
    control_ = Constants(std::move(escapes), GrammarBuilder::kReturn);
  }
  return control_;
}

NodeId JsonGrammar::NotAscii() {
  if (not_ascii_ == Grammar::kNone) {
    constexpr NodeId kReturn = GrammarBuilder::kReturn;
    not_ascii_ = builder_.Either(Utf8Range(0x80, 0xd7ff, kReturn, &builder_),
                                 Utf8Range(0xe000, CharSet::kLast, kReturn, &builder_));
  }
  return not_ascii_;
}

NodeId JsonGrammar::Character(const CharSet& set, NodeId next) {
  const bool has_controls = set.Contains(0, 0x1f);
  const bool has_not_ascii = set.Contains(0x80, 0xd7ff) && set.Contains(0xe000, CharSet::kLast);
  NodeId any = Grammar::kNone;
  const auto add = [&](NodeId one) { any = builder_.Either(any, one); };
  std::vector<std::string> escapes;
  for (auto [first, last] : set.ranges()) {
    for (; first < ' ' && first <= last; ++first) {
      if (!has_controls) escapes.push_back(Escaped(static_cast<char>(first)));
    }
    // Bytes up to the next that is escaped.
    while (first < 0x80 && first <= last) {
      if (first == '"' || first == '\\') {
        escapes.push_back(Escaped(static_cast<char>(first)));
        ++first;
        continue;
      }
      const char32_t stop = first < '"' ? '"' : first < '\\' ? '\\' : 0x80;
      const char32_t end = std::min<char32_t>(stop - 1, last);
      add(builder_.Byte(static_cast<uint8_t>(first), static_cast<uint8_t>(end), next));
      first = end + 1;
    }
    if (first <= last && !has_not_ascii) add(Utf8Range(first, last, next, &builder_));
  }
  if (!escapes.empty()) add(Constants(std::move(escapes), next));
  if (has_not_ascii) add(builder_.Call(NotAscii(), next));
  if (has_controls) add(builder_.Call(Controls(), next));
  return any;
}

// The pattern's nodes, once for each count of characters that makes a difference.
NodeId JsonGrammar::Matching(const Pattern& pattern, uint32_t min, uint32_t max, NodeId next) {
  const NodeId end = builder_.Literal("\"", next);
  std::map<std::pair<int, uint32_t>, NodeId> entries;
  std::vector<std::pair<int, uint32_t>> open;
  const auto enter = [&](int node, uint32_t count) {
    const auto [found, is_new] = entries.try_emplace({node, count}, Grammar::kNone);
    if (is_new) {
      found->second = builder_.Declare();
      open.push_back(found->first);
    }
    return found->second;
  };
  const NodeId start = enter(pattern.start(), 0);
  while (!open.empty() && !builder_.is_full()) {
    const auto [id, count] = open.back();
    open.pop_back();
    const Pattern::Node& node = pattern.nodes()[id];
    NodeId entry = Grammar::kNone;
    if (node.kind == Pattern::Node::kEnd) {
      if (count >= min) entry = end;
    } else if (node.kind == Pattern::Node::kEither) {
      entry = enter(node.next, count);
      if (node.other >= 0) entry = builder_.Either(entry, enter(node.other, count));
    } else if (count < max) {
      const uint32_t counted = max == Grammar::kUnbounded ? std::min(count + 1, min) : count + 1;
      entry = Character(node.set, enter(node.next, counted));
    }
    builder_.Define(entries[{id, count}], entry);
  }
  return builder_.Literal("\"", start);
}

NodeId JsonGrammar::OtherString(const std::set<std::u32string>& names, NodeId next) {
  return builder_.Literal("\"", Other(names.begin(), names.end(), 0, builder_.Literal("\"", next)));
}

// What goes on behind `depth` characters that first .. last begin with, and is none of them.
NodeId JsonGrammar::Other(std::set<std::u32string>::const_iterator first,
                          std::set<std::u32string>::const_iterator last, size_t depth,
                          NodeId next) {
  if (first == last) return builder_.Repeat(AnyCharacter(), 0, Grammar::kUnbounded, next);
  NodeId any = first->size() == depth ? Grammar::kNone : next;
  if (first->size() == depth) ++first;
  std::vector<CharSet::Range> taken;
  while (first != last) {
    const char32_t c = (*first)[depth];
    const auto end =
        std::find_if(first, last, [&](const std::u32string& name) { return name[depth] != c; });
    taken.push_back({c, c});
    any = builder_.Either(any, Character(CharSet(c), Other(first, end, depth + 1, next)));
    first = end;
  }
  const NodeId rest = builder_.Repeat(AnyCharacter(), 0, Grammar::kUnbounded, next);
  return builder_.Either(any, Character(CharSet(std::move(taken)).Complement(), rest));
}

}  // namespace bitfetch
