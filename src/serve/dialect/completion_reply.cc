// SPDX-License-Identifier: Apache-2.0
#include "serve/dialect/completion_reply.h"

#include <utility>

namespace bitfetch {

CompletionReply::CompletionReply(const ServedModel& model, OpenAiReplyOptions options,
                                 std::vector<EchoedPrompt> echoed)
    : OpenAiReply(model, std::move(options), "text_completion", "text_completion"),
      echoed_(std::move(echoed)),
      choices_(size(), Choice{.logprobs = LegacyLogprobs(&model.tokenizer)}) {}

std::string CompletionReply::Begin() {
  std::string events;
  if (echoed_.empty() || options_.logprobs) return events;  // else the prompt's come with it
  for (size_t task = 0; task < size(); ++task) {
    Echo(task);
    events += Send(task);
  }
  return events;
}

std::string CompletionReply::OnPrompt(size_t task, std::vector<TokenLogprob> logprobs) {
  if (echoed_.empty()) return {};
  Echo(task);
  choices_[task].logprobs.AddFirst(echoed_[task / options_.choices].first_token);
  choices_[task].has_logprobs = true;
  Add(task, logprobs);
  return Send(task);
}

std::string CompletionReply::OnPiece(size_t task, CompletionPiece piece) {
  choices_[task].text += piece.text;
  Add(task, piece.logprobs);
  return Send(task);
}

std::string CompletionReply::OnEnd(size_t task, const CompletionEnd& end) {
  SetEnd(task, end);
  if (!options_.stream) return {};
  return Chunk(TakeChoice(task, ToJson(FinishReason(task))), /*is_last=*/true);
}

void CompletionReply::Add(size_t task, const std::vector<TokenLogprob>& logprobs) {
  for (const TokenLogprob& token : logprobs) choices_[task].logprobs.Add(token);
  choices_[task].has_logprobs |= !logprobs.empty();
}

std::string CompletionReply::Send(size_t task) {
  const Choice& choice = choices_[task];
  if (!options_.stream || (choice.text.empty() && !choice.has_logprobs)) return {};
  return Chunk(TakeChoice(task, {}));
}

Json CompletionReply::WholeChoice(size_t task) {
  return TakeChoice(task, ToJson(FinishReason(task)));
}

Json CompletionReply::TakeChoice(size_t task, const Json& finish_reason) {
  Choice& choice = choices_[task];
  const bool has_logprobs = std::exchange(choice.has_logprobs, false);
  return JsonObject()
      .Add("index", task)
      .Add("text", std::exchange(choice.text, {}))
      .Add("logprobs", has_logprobs ? choice.logprobs.Take() : Json())
      .Add("finish_reason", finish_reason);
}

}  // namespace bitfetch
