// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_ENGINE_PERPLEXITY_H_
#define BITFETCH_ENGINE_PERPLEXITY_H_

#include <cstdint>
#include <functional>
#include <span>

#include "base/error.h"
#include "engine/session.h"
#include "text/tokenizer.h"

namespace bitfetch {

struct Perplexity {
  double perplexity = 0;     // e to the mean negative log likelihood of a scored token
  double bits_per_byte = 0;  // over the bytes of the scored tokens
  int64_t windows = 0;
  int64_t scored_tokens = 0;
  int64_t scored_bytes = 0;
};

// The smallest window of which a token is scored.
inline constexpr int64_t kMinPerplexityContext = 3;

// How well the model predicts `tokens`, counted as llama.cpp does: windows of `context` tokens one
// after the other, the first token of each replaced by BOS (where the tokenizer adds one), of which
// the second half is scored: what logits at context / 2 and later say about the next token in the
// window. What is left at the end is not scored. `tokens` begin with BOS as Tokenizer::Encode makes
// them. `on_window` hears of each window, with the figures so far and how many there are in all.
// Clears the session. Costs a forward pass over all windows. Errors: a window of fewer than
// kMinPerplexityContext tokens, fewer tokens than one window, tokens that stand for no text; those
// of Session.
Result<Perplexity> MeasurePerplexity(
    Session& session, const Tokenizer& tokenizer, std::span<const int> tokens, int64_t context,
    const std::function<void(const Perplexity& so_far, int64_t windows)>& on_window);

}  // namespace bitfetch

#endif  // BITFETCH_ENGINE_PERPLEXITY_H_
