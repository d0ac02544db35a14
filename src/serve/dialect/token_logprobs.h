// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_SERVE_DIALECT_TOKEN_LOGPROBS_H_
#define BITFETCH_SERVE_DIALECT_TOKEN_LOGPROBS_H_

#include <string>
#include <vector>

#include "serve/dialect/json_object.h"
#include "serve/schedule/completion.h"
#include "text/tokenizer.h"

namespace bitfetch {

// Probabilities of tokens as chat completions have them: [{"token", "logprob", "bytes",
// "top_logprobs": [{"token", "logprob", "bytes"}]}]. A control token is its name.
Json ChatLogprobs(const Tokenizer& tokenizer, const std::vector<TokenLogprob>& logprobs);

// As completions have them: {"tokens", "token_logprobs", "top_logprobs": [{token: logprob}],
// "text_offset"}, in which the drawn token is among the likeliest. A token that is no UTF-8 is
// "bytes:\xe2\x82", as OpenAI writes it, so that each has another name.
class LegacyLogprobs {
 public:
  explicit LegacyLogprobs(const Tokenizer* tokenizer) : tokenizer_(tokenizer) {}

  void Add(const TokenLogprob& token);
  // The first token of a text, which nothing comes before.
  void AddFirst(int id);
  // Of what was added since it was taken last.
  Json Take();

 private:
  void AddToken(int id);

  const Tokenizer* tokenizer_;
  std::vector<Json> tokens_, logprobs_, top_, offsets_;
  size_t offset_ = 0;  // in characters
};

}  // namespace bitfetch

#endif  // BITFETCH_SERVE_DIALECT_TOKEN_LOGPROBS_H_
