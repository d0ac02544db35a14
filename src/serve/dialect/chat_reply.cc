// SPDX-License-Identifier: Apache-2.0
#include "serve/dialect/chat_reply.h"

#include <iterator>
#include <utility>

#include "serve/dialect/token_logprobs.h"

namespace bitfetch {

ChatReply::ChatReply(const ServedModel& model, OpenAiReplyOptions options,
                     const AnswerStream& answer)
    : OpenAiReply(model, std::move(options), "chat.completion", "chat.completion.chunk"),
      choices_(size(), Choice{answer}) {}

std::string ChatReply::Begin() {
  std::string events;
  if (!options_.stream) return events;
  for (size_t task = 0; task < size(); ++task) {
    events += Delta(task, JsonObject().Add("role", "assistant").Add("content", ""));
  }
  return events;
}

std::string ChatReply::OnPiece(size_t task, CompletionPiece piece) {
  std::vector<TokenLogprob>& logprobs = choices_[task].logprobs;
  logprobs.insert(logprobs.end(), std::make_move_iterator(piece.logprobs.begin()),
                  std::make_move_iterator(piece.logprobs.end()));
  return Deliver(task, choices_[task].answer.Feed(piece.text));
}

std::string ChatReply::OnEnd(size_t task, const CompletionEnd& end) {
  SetEnd(task, end);
  std::string events = Deliver(task, choices_[task].answer.Finish());
  if (!options_.stream) return events;
  // Tokens without a text of their own: the one that ends the answer, say.
  if (!choices_[task].logprobs.empty()) events += Delta(task, JsonObject().Add("content", ""));
  return events + Chunk(JsonObject()
                            .Add("index", task)
                            .Add("delta", JsonObject())
                            .Add("logprobs", nullptr)
                            .Add("finish_reason", Reason(task)),
                        /*is_last=*/true);
}

std::string ChatReply::Deliver(size_t task, const std::vector<AnswerPart>& parts) {
  Choice& choice = choices_[task];
  std::string events;
  for (const AnswerPart& part : parts) {
    JsonObject delta;
    if (part.kind == AnswerPart::kToolCall) {
      const JsonObject call = ToolCall(task, part);
      choice.calls.push_back(call);
      if (!options_.stream) continue;
      const size_t index = choice.calls.size() - 1;
      const Json indexed = JsonObject().Add("index", index).AddAll(call);
      delta.Add("tool_calls", std::vector<Json>{indexed});
    } else if (options_.stream) {
      delta.Add(part.kind == AnswerPart::kText ? "content" : "reasoning_content", part.text);
    } else {
      (part.kind == AnswerPart::kText ? choice.text : choice.thoughts) += part.text;
      continue;
    }
    events += Delta(task, delta);
  }
  return events;
}

std::string ChatReply::Delta(size_t task, const Json& delta) {
  return Chunk(JsonObject()
                   .Add("index", task)
                   .Add("delta", delta)
                   .Add("logprobs", TakeLogprobs(&choices_[task]))
                   .Add("finish_reason", nullptr));
}

JsonObject ChatReply::ToolCall(size_t task, const AnswerPart& part) const {
  return JsonObject()
      .Add("id", fmt::format("call_{}_{}_{}", options_.id.substr(options_.id.find('-') + 1), task,
                             choices_[task].calls.size()))
      .Add("type", "function")
      .Add("function", JsonObject().Add("name", part.name).Add("arguments", part.text));
}

Json ChatReply::TakeLogprobs(Choice* choice) const {
  if (!options_.logprobs) return {};
  const std::vector<TokenLogprob> logprobs = std::exchange(choice->logprobs, {});
  return JsonObject()
      .Add("content", ChatLogprobs(model_.tokenizer, logprobs))
      .Add("refusal", nullptr);
}

std::string_view ChatReply::Reason(size_t task) const {
  const std::string_view reason = FinishReason(task);
  return reason == "stop" && !choices_[task].calls.empty() ? "tool_calls" : reason;
}

Json ChatReply::WholeChoice(size_t task) {
  Choice& choice = choices_[task];
  JsonObject message;
  message.Add("role", "assistant");
  message.Add("content",
              choice.text.empty() && !choice.calls.empty() ? Json() : ToJson(choice.text));
  message.Add("refusal", nullptr);
  if (!choice.thoughts.empty()) message.Add("reasoning_content", choice.thoughts);
  if (!choice.calls.empty()) message.Add("tool_calls", choice.calls);
  return JsonObject()
      .Add("index", task)
      .Add("message", message)
      .Add("logprobs", TakeLogprobs(&choice))
      .Add("finish_reason", Reason(task));
}

}  // namespace bitfetch
