// SPDX-License-Identifier: Apache-2.0
#include "serve/dialect/responses_reply.h"

#include <utility>

#include "serve/dialect/server_sent_event.h"

namespace bitfetch {
namespace {

// The middle of the events' names.
std::string_view EventKind(const AnswerPart& part) {
  switch (part.kind) {
    case AnswerPart::kThought:
      return "reasoning_text";
    case AnswerPart::kText:
      return "output_text";
    case AnswerPart::kToolCall:
      break;
  }
  return "function_call_arguments";
}

}  // namespace

ResponsesReply::ResponsesReply(const ServedModel& model, const RequestOrigin& origin,
                               const CompletionTask& task, bool stream, AnswerStream answer)
    : model_(model),
      origin_(origin),
      temperature_(task.sampling.temperature),
      top_p_(task.sampling.top_p),
      max_tokens_(task.generate.max_tokens),
      stream_(stream),
      answer_(std::move(answer)) {}

std::string ResponsesReply::Begin() {
  if (!stream_) return {};
  const JsonObject response = JsonObject().Add("response", Response("in_progress"));
  std::string events = Event("response.created", response);
  return events += Event("response.in_progress", response);
}

std::string ResponsesReply::OnPiece(size_t, CompletionPiece piece) {
  return Deliver(answer_.Feed(piece.text));
}

std::string ResponsesReply::OnEnd(size_t, const CompletionEnd& end) {
  end_ = end;
  std::string events = Deliver(answer_.Finish());
  return events += CloseItem();
}

std::string ResponsesReply::Finish() {
  const bool is_cut = end_.reason == StopReason::kTokens || end_.reason == StopReason::kContextFull;
  const std::string_view status = is_cut ? "incomplete" : "completed";
  const JsonObject response = Response(status);
  if (!stream_) return Json(response).text;
  return Event(fmt::format("response.{}", status), JsonObject().Add("response", response));
}

std::string ResponsesReply::Fail(const ApiError& error) {
  return Event("error", JsonObject()
                            .Add("code", error.code.empty() ? error.type : error.code)
                            .Add("message", error.message)
                            .Add("param", error.param.empty() ? Json() : ToJson(error.param)));
}

std::string ResponsesReply::Event(std::string_view type, JsonObject fields) {
  return ServerSentEvent(
      type,
      JsonObject().Add("type", type).Add("sequence_number", sequence_number_++).AddAll(fields));
}

JsonObject ResponsesReply::Response(std::string_view status) const {
  std::vector<Json> output;
  for (size_t i = 0; i < items_.size(); ++i) output.push_back(Item(i, true));
  Json usage;
  if (status != "in_progress") {
    usage = JsonObject()
                .Add("input_tokens", end_.prompt_tokens)
                .Add("input_tokens_details", JsonObject().Add("cached_tokens", end_.cached_tokens))
                .Add("output_tokens", end_.tokens)
                .Add("output_tokens_details", JsonObject().Add("reasoning_tokens", ThoughtTokens()))
                .Add("total_tokens", end_.prompt_tokens + end_.tokens);
  }
  Json cut;
  if (status == "incomplete") cut = JsonObject().Add("reason", "max_output_tokens");
  return JsonObject()
      .Add("id", "resp_" + origin_.id)
      .Add("object", "response")
      .Add("created_at", origin_.created)
      .Add("status", status)
      .Add("error", nullptr)
      .Add("incomplete_details", cut)
      .Add("max_output_tokens", max_tokens_ < 0 ? Json() : ToJson(max_tokens_))
      .Add("model", model_.id)
      .Add("output", output)
      .Add("parallel_tool_calls", true)
      .Add("previous_response_id", nullptr)
      .Add("store", false)
      .Add("temperature", temperature_)
      .Add("top_p", top_p_)
      .Add("usage", usage);
}

size_t ResponsesReply::ThoughtTokens() const {
  size_t tokens = 0;
  for (const AnswerPart& item : items_) {
    if (item.kind != AnswerPart::kThought) continue;
    const auto ids = model_.tokenizer.Encode(item.text, /*add_bos=*/false);
    if (ids) tokens += ids->size();
  }
  return tokens;
}

std::string ResponsesReply::ItemId(size_t index) const {
  const auto kind = items_[index].kind;
  return fmt::format("{}_{}_{}",
                     kind == AnswerPart::kThought ? "rs"
                     : kind == AnswerPart::kText  ? "msg"
                                                  : "fc",
                     origin_.id, index);
}

JsonObject ResponsesReply::Content(const AnswerPart& part, bool is_done) const {
  JsonObject content;
  content.Add("type", EventKind(part)).Add("text", is_done ? part.text : "");
  if (part.kind == AnswerPart::kText) {
    content.Add("annotations", std::vector<Json>()).Add("logprobs", std::vector<Json>());
  }
  return content;
}

JsonObject ResponsesReply::Item(size_t index, bool is_done) const {
  const AnswerPart& part = items_[index];
  std::vector<Json> content;
  if (is_done) content.push_back(Content(part, true));
  JsonObject item;
  item.Add("id", ItemId(index));
  switch (part.kind) {
    case AnswerPart::kThought:
      item.Add("type", "reasoning").Add("summary", std::vector<Json>()).Add("content", content);
      break;
    case AnswerPart::kText:
      item.Add("type", "message").Add("role", "assistant").Add("content", content);
      break;
    case AnswerPart::kToolCall:
      item.Add("type", "function_call")
          .Add("call_id", fmt::format("call_{}_{}", origin_.id, index))
          .Add("name", part.name)
          .Add("arguments", is_done ? part.text : "");
      break;
  }
  return item.Add("status", is_done ? "completed" : "in_progress");
}

JsonObject ResponsesReply::Place() const {
  JsonObject place;
  place.Add("item_id", ItemId(items_.size() - 1)).Add("output_index", items_.size() - 1);
  if (has_content()) place.Add("content_index", 0);
  return place;
}

std::string ResponsesReply::Deliver(const std::vector<AnswerPart>& parts) {
  std::string events;
  for (const AnswerPart& part : parts) {
    const bool goes_on =
        is_open_ && items_.back().kind == part.kind && part.kind != AnswerPart::kToolCall;
    if (!goes_on) {
      events += CloseItem();
      events += OpenItem(part);
    }
    items_.back().text += part.text;
    if (!stream_) continue;
    JsonObject delta = Place().Add("delta", part.text);
    if (part.kind == AnswerPart::kText) delta.Add("logprobs", std::vector<Json>());
    events += Event(fmt::format("response.{}.delta", EventKind(part)), delta);
  }
  return events;
}

std::string ResponsesReply::OpenItem(const AnswerPart& part) {
  items_.push_back({part.kind, "", part.name});
  is_open_ = true;
  if (!stream_) return {};
  const size_t index = items_.size() - 1;
  std::string events =
      Event("response.output_item.added",
            JsonObject().Add("output_index", index).Add("item", Item(index, false)));
  if (has_content()) {
    events += Event("response.content_part.added", Place().Add("part", Content(part, false)));
  }
  return events;
}

std::string ResponsesReply::CloseItem() {
  if (!std::exchange(is_open_, false) || !stream_) return {};
  const size_t index = items_.size() - 1;
  const AnswerPart& part = items_.back();
  JsonObject done = Place();
  if (part.kind == AnswerPart::kToolCall) {
    done.Add("name", part.name).Add("arguments", part.text);
  } else {
    done.Add("text", part.text);
  }
  if (part.kind == AnswerPart::kText) done.Add("logprobs", std::vector<Json>());
  std::string events = Event(fmt::format("response.{}.done", EventKind(part)), done);
  if (has_content()) {
    events += Event("response.content_part.done", Place().Add("part", Content(part, true)));
  }
  return events + Event("response.output_item.done",
                        JsonObject().Add("output_index", index).Add("item", Item(index, true)));
}

}  // namespace bitfetch
