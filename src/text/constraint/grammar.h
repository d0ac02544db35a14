// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_TEXT_CONSTRAINT_GRAMMAR_H_
#define BITFETCH_TEXT_CONSTRAINT_GRAMMAR_H_

#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace bitfetch {

// The bytes that a vocabulary has a token of its own for; what needs others is never written.
using Alphabet = std::bitset<256>;

// A nondeterministic pushdown automaton over bytes, as a recursive transition network (Woods, 1970,
// "Transition network grammars for natural language analysis"): a graph whose nodes read a byte,
// choose, or go through a part of the graph so often and come back.
class Grammar {
 public:
  using NodeId = int32_t;
  static constexpr NodeId kNone = -1;
  static constexpr uint32_t kUnbounded = UINT32_MAX;
  // Repeats inside repeats, which bounds how deep a text is nested.
  static constexpr int kMaxDepth = 128;

  struct Node {
    enum Kind : uint8_t {
      kByte,    // takes one of first .. last, then goes to `next`
      kEither,  // goes to `next` or to `other`
      kRepeat,  // goes through `other`, to kReturn, min .. max times, then to `next`
      kReturn,  // ends what a kRepeat goes through, or the text
    };
    Kind kind;
    uint8_t first = 0;
    uint8_t last = 0;
    NodeId next = kNone;
    NodeId other = kNone;
    uint32_t min = 0;
    uint32_t max = 0;
  };

  const Node& node(NodeId id) const { return nodes_[id]; }
  NodeId start() const { return start_; }
  // How many repeats must at least be inside each other from a node to its kReturn; above
  // kMaxDepth: there is no way.
  int MinDepth(NodeId id) const { return min_depth_[id]; }
  // Bytes of one class are not told apart. Those of class 0 are never taken.
  int ByteClass(uint8_t byte) const { return byte_class_[byte]; }
  int byte_classes() const { return byte_classes_; }

 private:
  friend class GrammarBuilder;

  void FindMinDepths(const Alphabet& alphabet);
  void FindByteClasses(const Alphabet& alphabet);

  std::vector<Node> nodes_;
  std::vector<uint8_t> min_depth_;  // [nodes]
  std::array<uint16_t, 256> byte_class_ = {};
  int byte_classes_ = 1;
  NodeId start_ = kNone;
};

// Builds a grammar from its end: what each node goes on with is there before it. kNone, of which
// nothing can be made but kNone, takes no text at all.
class GrammarBuilder {
 public:
  using NodeId = Grammar::NodeId;
  static constexpr size_t kMaxNodes = 200'000;

  static constexpr NodeId kReturn = 0;

  NodeId Byte(uint8_t first, uint8_t last, NodeId next);
  NodeId Literal(std::string_view bytes, NodeId next);
  // Any bytes, to the end of the first `mark` among them.
  NodeId Until(std::string_view mark, NodeId next);
  NodeId Either(NodeId a, NodeId b);
  NodeId Repeat(NodeId body, uint32_t min, uint32_t max, NodeId next);
  // Once through what may be defined later, and may go through itself.
  NodeId Call(NodeId rule, NodeId next) { return Repeat(rule, 1, 1, next); }
  NodeId Declare();
  void Define(NodeId declared, NodeId entry) {
    if (declared != Grammar::kNone) nodes_[declared].next = entry;
  }

  // More nodes were asked for than a grammar may have, and what was built is none.
  bool is_full() const { return is_full_; }

  // What begins at `start`, where MinDepth says whether there is a text that it takes. Costs a look
  // at all nodes.
  Grammar Finish(NodeId start, const Alphabet& alphabet) &&;

 private:
  NodeId Add(const Grammar::Node& node);

  std::vector<Grammar::Node> nodes_ = {{.kind = Grammar::Node::kReturn}};
  bool is_full_ = false;
};

}  // namespace bitfetch

#endif  // BITFETCH_TEXT_CONSTRAINT_GRAMMAR_H_
