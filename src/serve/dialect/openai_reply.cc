// SPDX-License-Identifier: Apache-2.0
#include "serve/dialect/openai_reply.h"

#include "serve/dialect/error_body.h"
#include "serve/dialect/server_sent_event.h"

namespace bitfetch {

std::string OpenAiReply::Finish() {
  if (!options_.stream) {
    std::vector<Json> choices;
    for (size_t task = 0; task < size(); ++task) choices.push_back(WholeChoice(task));
    JsonObject body = Head();
    body.Add("choices", choices).Add("usage", Usage());
    AddTimings(&body);
    return Json(body).text;
  }
  std::string events;
  if (options_.include_usage) {
    JsonObject chunk = Head();
    chunk.Add("choices", std::vector<Json>()).Add("usage", Usage());
    AddTimings(&chunk);
    events = ServerSentEvent(chunk);
  }
  return events + ServerSentEvent(Json{"[DONE]"});
}

std::string OpenAiReply::Fail(const ApiError& error) { return ServerSentEvent(OpenAiError(error)); }

std::string OpenAiReply::Chunk(const Json& choice, bool is_last) const {
  JsonObject chunk = Head();
  chunk.Add("choices", std::vector<Json>{choice});
  if (options_.include_usage) {
    chunk.Add("usage", nullptr);
  } else if (is_last) {
    AddTimings(&chunk);
  }
  return ServerSentEvent(chunk);
}

std::string_view OpenAiReply::FinishReason(size_t task) const {
  const StopReason reason = ends_[task].reason;
  return reason == StopReason::kTokens || reason == StopReason::kContextFull ? "length" : "stop";
}

JsonObject OpenAiReply::Head() const {
  return JsonObject()
      .Add("id", options_.id)
      .Add("object", object_)
      .Add("created", options_.created)
      .Add("model", model_.id);
}

Json OpenAiReply::Usage() const {
  int64_t prompt = 0, cached = 0, completion = 0;
  for (size_t task = 0; task < size(); ++task) {
    completion += ends_[task].tokens;
    if (task % options_.choices != 0) continue;  // each prompt counts once
    prompt += ends_[task].prompt_tokens;
    cached += ends_[task].cached_tokens;
  }
  return JsonObject()
      .Add("prompt_tokens", prompt)
      .Add("completion_tokens", completion)
      .Add("total_tokens", prompt + completion)
      .Add("prompt_tokens_details", JsonObject().Add("cached_tokens", cached));
}

void OpenAiReply::AddTimings(JsonObject* object) const {
  if (size() != 1) return;
  const CompletionEnd& end = ends_[0];
  JsonObject timings;
  const auto ratio = [](double value, double by) { return by > 0 ? value / by : 0.0; };
  const auto add = [&](const std::string& name, int64_t tokens, double timed, double seconds) {
    timings.Add(name + "_n", tokens)
        .Add(name + "_ms", 1e3 * seconds)
        .Add(name + "_per_token_ms", ratio(1e3 * seconds, timed))
        .Add(name + "_per_second", ratio(timed, seconds));
  };
  const int64_t read = end.prompt_tokens - end.cached_tokens;
  timings.Add("cache_n", end.cached_tokens);
  add("prompt", read, static_cast<double>(read), end.prompt_seconds);
  add("predicted", end.tokens, static_cast<double>(end.tokens - 1), end.generate_seconds);
  object->Add("timings", timings);
}

}  // namespace bitfetch
