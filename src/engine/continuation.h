// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_ENGINE_CONTINUATION_H_
#define BITFETCH_ENGINE_CONTINUATION_H_

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "base/error.h"
#include "base/logits.h"
#include "engine/drafter.h"
#include "engine/engine.h"
#include "engine/sequence.h"

namespace bitfetch {

struct DraftCounts {
  int64_t passes = 0;   // of a token and what was guessed behind it
  int64_t drafted = 0;  // tokens
  int64_t stood = 0;    // of them
};

// A sequence that goes on token by token, and is computed ahead where a Drafter guesses how: a pass
// takes the token that was drawn and guesses behind it, and while tokens are drawn as they were
// guessed, their logits are there. Whoever draws meets the logits, the tokens and the errors that
// there are without guesses.
class Continuation {
 public:
  // Which logits the next token is drawn from, behind these tokens.
  using Wanted = std::function<LogitsWanted(std::span<const int> tokens)>;

  // `draft`: kDraftAuto, kDraftOff or how many. Engine and sequence must outlive it, and meanwhile
  // nobody else changes the sequence.
  Continuation(Engine& engine, Sequence& sequence, int draft, Wanted wanted);
  ~Continuation() { sequence_.Truncate(sequence_.length()); }  // without guesses
  Continuation(const Continuation&) = delete;
  Continuation& operator=(const Continuation&) = delete;

  // The token that was drawn. No more than `max_guesses` are of use behind it. Errors: those of a
  // piece of Engine::Run; then it was not appended.
  Status Append(int token, int64_t max_guesses);

  // Of the token that comes next: those that `wanted` names, perhaps with others. Valid until the
  // next Append. Errors: those of a query of Engine::Logits.
  Result<std::span<const Logit>> Logits();

  const DraftCounts& counts() const { return counts_; }

 private:
  Status Run(std::span<const int> tokens);

  Engine& engine_;
  Sequence& sequence_;
  Wanted wanted_;
  Drafter drafter_;
  int64_t rows_ = 0;                  // of the last pass, whose logits are in queries_; 0: not yet
  std::vector<LogitsQuery> queries_;  // [rows] or more
  DraftCounts counts_;
};

}  // namespace bitfetch

#endif  // BITFETCH_ENGINE_CONTINUATION_H_
