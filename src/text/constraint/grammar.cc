// SPDX-License-Identifier: Apache-2.0
#include "text/constraint/grammar.h"

#include <algorithm>
#include <limits>
#include <string>
#include <utility>

namespace bitfetch {
namespace {

constexpr int kNoWay = Grammar::kMaxDepth + 1;

}  // namespace

Grammar::NodeId GrammarBuilder::Add(const Grammar::Node& node) {
  if (nodes_.size() == kMaxNodes) {
    is_full_ = true;
    return Grammar::kNone;
  }
  nodes_.push_back(node);
  return static_cast<NodeId>(nodes_.size() - 1);
}

Grammar::NodeId GrammarBuilder::Byte(uint8_t first, uint8_t last, NodeId next) {
  if (next == Grammar::kNone) return next;
  return Add({.kind = Grammar::Node::kByte, .first = first, .last = last, .next = next});
}

Grammar::NodeId GrammarBuilder::Literal(std::string_view bytes, NodeId next) {
  for (; !bytes.empty() && next != Grammar::kNone; bytes.remove_suffix(1)) {
    const auto byte = static_cast<uint8_t>(bytes.back());
    next = Byte(byte, byte, next);
  }
  return next;
}

// From as much of the mark as the text ends in, each byte leads to how much it ends in then (Knuth,
// Morris and Pratt, 1977, "Fast pattern matching in strings").
Grammar::NodeId GrammarBuilder::Until(std::string_view mark, NodeId next) {
  std::vector<NodeId> begun;  // by the size of that
  while (begun.size() < mark.size()) begun.push_back(Declare());
  begun.push_back(next);
  for (size_t size = 0; size < mark.size(); ++size) {
    const auto size_with = [&](int byte) {
      const std::string text = std::string(mark.substr(0, size)) + static_cast<char>(byte);
      size_t with = text.size();
      while (!text.ends_with(mark.substr(0, with))) --with;
      return with;
    };
    NodeId any = Grammar::kNone;
    for (int first = 0, last; first < 256; first = last + 1) {
      const size_t with = size_with(first);
      for (last = first; last < 255 && size_with(last + 1) == with;) ++last;
      any = Either(Byte(static_cast<uint8_t>(first), static_cast<uint8_t>(last), begun[with]), any);
    }
    Define(begun[size], any);
  }
  return begun[0];
}

Grammar::NodeId GrammarBuilder::Either(NodeId a, NodeId b) {
  if (a == Grammar::kNone || a == b) return b;
  if (b == Grammar::kNone) return a;
  return Add({.kind = Grammar::Node::kEither, .next = a, .other = b});
}

Grammar::NodeId GrammarBuilder::Repeat(NodeId body, uint32_t min, uint32_t max, NodeId next) {
  if (next == Grammar::kNone || min > max) return Grammar::kNone;
  if (body == Grammar::kNone) return min == 0 ? next : Grammar::kNone;
  if (max == 0) return next;
  return Add({.kind = Grammar::Node::kRepeat, .next = next, .other = body, .min = min, .max = max});
}

Grammar::NodeId GrammarBuilder::Declare() { return Add({.kind = Grammar::Node::kEither}); }

Grammar GrammarBuilder::Finish(NodeId start, const Alphabet& alphabet) && {
  Grammar grammar;
  grammar.nodes_ = std::move(nodes_);
  // A grammar that takes nothing.
  if (start == Grammar::kNone) {
    grammar.nodes_.push_back({.kind = Grammar::Node::kEither});
    start = static_cast<NodeId>(grammar.nodes_.size() - 1);
  }
  grammar.start_ = start;
  grammar.FindMinDepths(alphabet);
  grammar.FindByteClasses(alphabet);
  return grammar;
}

// From the ends backwards, those of the least depth first (Knuth, 1977, "A generalization of
// Dijkstra's algorithm"): a node's depth follows from others' that are no greater.
void Grammar::FindMinDepths(const Alphabet& alphabet) {
  const auto count = static_cast<NodeId>(nodes_.size());
  std::vector<NodeId> first_user(count + 1);  // into `users`, of each node
  const auto each_edge = [&](const auto& use) {
    for (NodeId id = 0; id < count; ++id) {
      if (nodes_[id].next != kNone) use(nodes_[id].next, id);
      if (nodes_[id].other != kNone) use(nodes_[id].other, id);
    }
  };
  each_edge([&](NodeId used, NodeId) { ++first_user[used]; });
  NodeId sum = 0;
  for (NodeId& first : first_user) first = sum += first;
  std::vector<NodeId> users(sum);
  each_edge([&](NodeId used, NodeId user) { users[--first_user[used]] = user; });

  const auto is_writable = [&](const Node& node) {
    for (int byte = node.first; byte <= node.last; ++byte) {
      if (alphabet[byte]) return true;
    }
    return false;
  };
  min_depth_.assign(count, kNoWay);
  std::array<std::vector<NodeId>, kNoWay + 1> found;  // by depth
  found[0].push_back(GrammarBuilder::kReturn);
  for (int depth = 0; depth < kNoWay; ++depth) {
    while (!found[depth].empty()) {
      const NodeId id = found[depth].back();
      found[depth].pop_back();
      if (min_depth_[id] <= depth) continue;
      min_depth_[id] = static_cast<uint8_t>(depth);
      for (NodeId i = first_user[id]; i < first_user[id + 1]; ++i) {
        const Node& user = nodes_[users[i]];
        int of_user = depth;
        if (user.kind == Node::kByte && !is_writable(user)) continue;
        if (user.kind == Node::kRepeat) {
          of_user = min_depth_[user.next];
          if (user.min > 0) of_user = std::max<int>(of_user, min_depth_[user.other] + 1);
        }
        found[std::min(of_user, kNoWay)].push_back(users[i]);
      }
    }
  }
}

void Grammar::FindByteClasses(const Alphabet& alphabet) {
  std::bitset<257> begins;  // a class that differs from that of the byte before
  for (const Node& node : nodes_) {
    if (node.kind != Node::kByte) continue;
    begins.set(node.first);
    begins.set(node.last + 1);
  }
  int of_range = 0;
  for (int byte = 0; byte < 256; ++byte) {
    if (begins[byte]) of_range = byte_classes_++;
    byte_class_[byte] = static_cast<uint16_t>(alphabet[byte] ? of_range : 0);
  }
}

}  // namespace bitfetch
