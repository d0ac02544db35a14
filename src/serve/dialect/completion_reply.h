// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_SERVE_DIALECT_COMPLETION_REPLY_H_
#define BITFETCH_SERVE_DIALECT_COMPLETION_REPLY_H_

#include <string>
#include <vector>

#include "serve/dialect/openai_reply.h"
#include "serve/dialect/token_logprobs.h"

namespace bitfetch {

// A prompt that is to stand in front of its answers.
struct EchoedPrompt {
  std::string text;
  int first_token;  // the one without a probability
};

// The answer of /v1/completions.
class CompletionReply : public OpenAiReply {
 public:
  // `echoed`: [prompts], or none.
  CompletionReply(const ServedModel& model, OpenAiReplyOptions options,
                  std::vector<EchoedPrompt> echoed);

  std::string Begin() override;
  std::string OnPrompt(size_t task, std::vector<TokenLogprob> logprobs) override;
  std::string OnPiece(size_t task, CompletionPiece piece) override;
  std::string OnEnd(size_t task, const CompletionEnd& end) override;

 private:
  struct Choice {
    std::string text = {};  // that was not sent
    LegacyLogprobs logprobs;
    bool has_logprobs = false;  // that were not sent
  };

  Json WholeChoice(size_t task) override;
  Json TakeChoice(size_t task, const Json& finish_reason);
  void Add(size_t task, const std::vector<TokenLogprob>& logprobs);
  // In a stream what there is, if anything.
  std::string Send(size_t task);
  void Echo(size_t task) { choices_[task].text = echoed_[task / options_.choices].text; }

  std::vector<EchoedPrompt> echoed_;
  std::vector<Choice> choices_;
};

}  // namespace bitfetch

#endif  // BITFETCH_SERVE_DIALECT_COMPLETION_REPLY_H_
