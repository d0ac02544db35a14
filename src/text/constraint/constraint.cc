// SPDX-License-Identifier: Apache-2.0
#include "text/constraint/constraint.h"

#include <algorithm>
#include <array>
#include <utility>

#include "text/constraint/schema_grammar.h"

namespace bitfetch {
namespace {

using NodeId = Grammar::NodeId;

constexpr size_t kMaxMasks = 64;  // of 16 KB for 128K tokens
// About 0.1 s.
constexpr int64_t kMaxWork = 2'000'000;

Result<NodeId> AddForm(const Form& form, NodeId next, GrammarBuilder* builder) {
  if (const auto* literal = std::get_if<Form::Literal>(&form.form)) {
    return builder->Literal(literal->text, next);
  }
  if (const auto* schema = std::get_if<Form::Schema>(&form.form)) {
    return AddSchema(schema->schema, schema->name, next, builder);
  }
  if (const auto* sequence = std::get_if<Form::Sequence>(&form.form)) {
    for (auto part = sequence->parts.rbegin(); part != sequence->parts.rend(); ++part) {
      BITFETCH_ASSIGN_OR_RETURN(next, AddForm(*part, next, builder));
    }
    return next;
  }
  const auto& alternatives = std::get<Form::OneOf>(form.form).alternatives;
  NodeId any = Grammar::kNone;
  for (auto one = alternatives.rbegin(); one != alternatives.rend(); ++one) {
    BITFETCH_ASSIGN_OR_RETURN(const NodeId entry, AddForm(*one, next, builder));
    any = builder->Either(entry, any);
  }
  return any;
}

}  // namespace

Result<std::shared_ptr<const Constraint>> Constraint::Create(
    const Form& form, std::shared_ptr<const TokenTrie> trie) {
  GrammarBuilder builder;
  BITFETCH_ASSIGN_OR_RETURN(const NodeId start, AddForm(form, GrammarBuilder::kReturn, &builder));
  if (builder.is_full()) return Fail("the constraint is too large");
  Grammar grammar = std::move(builder).Finish(start, trie->alphabet());
  if (grammar.MinDepth(grammar.start()) > Grammar::kMaxDepth) {
    return Fail("no text of finite size meets the constraint");
  }
  return std::shared_ptr<const Constraint>(new Constraint(std::move(grammar), std::move(trie)));
}

ConstrainedText::ConstrainedText(std::shared_ptr<const Constraint> constraint)
    : constraint_(std::move(constraint)),
      matcher_(constraint_->grammar()),
      state_(matcher_.start()) {}

const std::vector<bool>& ConstrainedText::Allowed() {
  if (const auto known = masks_.find(state_); known != masks_.end()) return known->second;
  if (masks_.size() == kMaxMasks) masks_.clear();
  std::vector<bool> allowed = Walk();
  return masks_[state_] = std::move(allowed);
}

std::vector<bool> ConstrainedText::Walk() {
  const TokenTrie& trie = constraint_->trie();
  const std::span<const TokenTrie::Node> nodes = trie.nodes();
  std::vector<bool> allowed(trie.tokens());
  std::array<Matcher::State, 256> path;  // after each byte, the first being after none
  path[0] = state_;
  const int64_t max_work = matcher_.work() + kMaxWork;
  for (uint32_t i = 0; i < nodes.size();) {
    const TokenTrie::Node& node = nodes[i];
    if (node.depth > 0 && matcher_.work() > max_work) {
      i = node.end;
      continue;
    }
    if (matcher_.Trim(std::span(path).first(node.depth + 1))) masks_.clear();
    const Matcher::State next = matcher_.Step(path[node.depth], node.byte);
    if (next == Matcher::kDead) {
      i = node.end;
      continue;
    }
    path[node.depth + 1] = next;
    for (uint32_t j = node.ids_begin; j < node.ids_end; ++j) allowed[trie.ids()[j]] = true;
    ++i;
  }
  state_ = path[0];
  return allowed;
}

void ConstrainedText::Filter(std::span<const int> stops, std::vector<Logit>* logits) {
  const std::vector<bool>& allowed = Allowed();
  const auto is_stop = [&](int id) { return std::ranges::binary_search(stops, id); };
  std::erase_if(*logits, [&](const Logit& logit) {
    return is_stop(logit.id) ? !may_end() : !allowed[logit.id];
  });
}

void ConstrainedText::Append(std::string_view bytes) {
  if (matcher_.Trim({&state_, 1})) masks_.clear();
  for (const char byte : bytes) state_ = matcher_.Step(state_, static_cast<uint8_t>(byte));
}

}  // namespace bitfetch
