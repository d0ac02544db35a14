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
// Tokens whose logits are computed one by one, where all others are screened.
constexpr size_t kMaxLeftOut = 8192;

Result<NodeId> AddForm(const Form& form, NodeId next, GrammarBuilder* builder) {
  if (const auto* literal = std::get_if<Form::Literal>(&form.form)) {
    return builder->Literal(literal->text, next);
  }
  if (const auto* until = std::get_if<Form::Until>(&form.form)) {
    return builder->Until(until->mark, next);
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
    const Form& form, std::shared_ptr<const TokenTries> tries) {
  GrammarBuilder builder;
  BITFETCH_ASSIGN_OR_RETURN(const NodeId start, AddForm(form, GrammarBuilder::kReturn, &builder));
  if (builder.is_full()) return Fail("the constraint is too large");
  Grammar grammar = std::move(builder).Finish(start, tries->alphabet());
  if (grammar.MinDepth(grammar.start()) > Grammar::kMaxDepth) {
    return Fail("no text of finite size meets the constraint");
  }
  return std::shared_ptr<const Constraint>(new Constraint(std::move(grammar), std::move(tries)));
}

ConstrainedText::ConstrainedText(std::shared_ptr<const Constraint> constraint)
    : constraint_(std::move(constraint)),
      matcher_(constraint_->grammar()),
      state_(matcher_.start()),
      allowed_(constraint_->tries().tokens()) {}

const TokenMask& ConstrainedText::Allowed() {
  allowed_ = TokenMask(constraint_->tries().tokens());
  for (size_t i = 0; i < known_.size(); ++i) {
    AddFrom(constraint_->tries().tries()[i], &known_[i]);
  }
  return allowed_;
}

// Adds what of the trie may come next.
void ConstrainedText::AddFrom(const TokenTrie& trie, std::vector<Walked>* known) {
  const auto max_bytes = static_cast<uint32_t>(trie.max_bytes());
  // What the text has led to, where the walk begins, and what each byte of it leads to.
  std::array<Matcher::State, TokenTries::kMaxBytes + 2> path;
  path[0] = state_;
  path[1] = matcher_.Nearby(state_, max_bytes);
  const auto found = std::ranges::find(*known, path[1], &Walked::state);
  if (found != known->end()) return allowed_.Add(found->mask);

  TokenMask mask(constraint_->tries().tokens());
  const std::span<const TokenTrie::Node> nodes = trie.nodes();
  const int64_t max_work = matcher_.work() + kMaxWork;
  for (uint32_t i = 0; i < nodes.size();) {
    const TokenTrie::Node& node = nodes[i];
    const std::span<Matcher::State> begun = std::span(path).first(node.depth + 2);
    if (matcher_.Trim(begun)) Forget();
    const bool is_too_much = node.depth > 0 && matcher_.work() > max_work;
    const Matcher::State next =
        is_too_much ? Matcher::kDead : matcher_.Step(begun.back(), node.byte);
    if (next == Matcher::kDead) {
      i = node.end;
      continue;
    }
    path[node.depth + 2] = next;
    for (uint32_t j = node.ids_begin; j < node.ids_end; ++j) mask.Add(trie.ids()[j]);
    ++i;
  }
  state_ = path[0];
  allowed_.Add(mask);
  if (known->size() == kMaxMasks) known->erase(known->begin());
  known->push_back({path[1], std::move(mask)});
}

void ConstrainedText::Forget() {
  for (std::vector<Walked>& known : known_) known.clear();
}

LogitsWanted ConstrainedText::Wanted(std::span<const int> stops, LogitsWanted wanted) {
  if (wanted.top == 0) return wanted;
  Allowed();
  // Those that are left out must not count among the largest.
  std::vector<int>& always = wanted.always;
  const size_t max_always = always.size() + kMaxLeftOut;
  for (int id = 0; id < constraint_->tries().tokens(); ++id) {
    if (allowed_.Has(id)) continue;
    if (always.size() == max_always) return {};
    always.push_back(id);
  }
  always.insert(always.end(), stops.begin(), stops.end());
  std::ranges::sort(always);
  always.erase(std::unique(always.begin(), always.end()), always.end());
  return wanted;
}

void ConstrainedText::Filter(std::span<const int> stops, std::vector<Logit>* logits) {
  Allowed();
  const auto is_stop = [&](int id) { return std::ranges::binary_search(stops, id); };
  std::erase_if(*logits, [&](const Logit& logit) {
    return is_stop(logit.id) ? !may_end() : !allowed_.Has(logit.id);
  });
}

void ConstrainedText::Append(std::string_view bytes) {
  if (matcher_.Trim({&state_, 1})) Forget();
  for (const char byte : bytes) state_ = matcher_.Step(state_, static_cast<uint8_t>(byte));
}

}  // namespace bitfetch
