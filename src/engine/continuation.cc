// SPDX-License-Identifier: Apache-2.0
#include "engine/continuation.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace bitfetch {

Continuation::Continuation(Engine& engine, Sequence& sequence, int draft, Wanted wanted)
    : engine_(engine), sequence_(sequence), wanted_(std::move(wanted)), drafter_(draft) {
  drafter_.Append(sequence.tokens());
}

Status Continuation::Append(int token, int64_t max_guesses) {
  drafter_.Append({&token, 1});
  if (!sequence_.guesses().empty() && sequence_.guesses().front() == token) {
    engine_.Accept(sequence_);
    ++counts_.stood;
    return {};
  }
  sequence_.Truncate(sequence_.length());
  const int64_t room = sequence_.context() - sequence_.length() - 1;
  std::vector<int> tokens = drafter_.Guess(std::min(max_guesses, room), engine_.pass_cost());
  tokens.insert(tokens.begin(), token);
  const int64_t blocks = sequence_.cache().BlocksToAppend(std::ssize(tokens));
  if (blocks > engine_.pool().Available()) tokens.resize(1);
  Status ran = Run(tokens);
  // What is wrong with a guess must not be heard of.
  if (!ran && tokens.size() > 1) ran = Run({&token, 1});
  return ran;
}

Status Continuation::Run(std::span<const int> tokens) {
  SequencePiece piece{.sequence = &sequence_, .tokens = tokens, .guesses = std::ssize(tokens) - 1};
  BITFETCH_RETURN_IF_ERROR(engine_.Run({&piece, 1}));
  BITFETCH_RETURN_IF_ERROR(piece.status);
  rows_ = 0;
  ++counts_.passes;
  counts_.drafted += piece.guesses;
  return {};
}

Result<std::span<const Logit>> Continuation::Logits() {
  const std::vector<int>& guesses = sequence_.guesses();
  if (rows_ == 0) {
    rows_ = 1 + std::ssize(guesses);
    if (std::ssize(queries_) < rows_) queries_.resize(rows_);
    std::vector<int> tokens = sequence_.tokens();
    for (int64_t row = 0; row < rows_; ++row) {
      if (row > 0) tokens.push_back(guesses[row - 1]);
      LogitsQuery& query = queries_[row];
      query.sequence = &sequence_;
      query.guesses = row;
      query.wanted = wanted_(tokens);
    }
    engine_.Logits(std::span(queries_).first(rows_));
  }
  const LogitsQuery& query = queries_[rows_ - 1 - std::ssize(guesses)];
  BITFETCH_RETURN_IF_ERROR(query.status);
  return query.logits;
}

}  // namespace bitfetch
