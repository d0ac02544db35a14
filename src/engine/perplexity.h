// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_ENGINE_PERPLEXITY_H_
#define BITFETCH_ENGINE_PERPLEXITY_H_

#include <atomic>
#include <cstdint>
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

// How well the model predicts `tokens`, counted as llama.cpp does: windows of `context` tokens one
// after the other, the first token of each replaced by BOS (where the tokenizer adds one), of which
// the second half is scored; what is left at the end is not. `tokens` begin with BOS as
// Tokenizer::Encode makes them. Clears the session. Errors: fewer tokens than one window; those of
// Session; interrupted.
Result<Perplexity> MeasurePerplexity(Session& session, const Tokenizer& tokenizer,
                                     std::span<const int> tokens, int64_t context,
                                     const Progress& progress,
                                     const std::atomic<bool>& interrupted);

}  // namespace bitfetch

#endif  // BITFETCH_ENGINE_PERPLEXITY_H_
