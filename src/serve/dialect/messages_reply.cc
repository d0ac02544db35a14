// SPDX-License-Identifier: Apache-2.0
#include "serve/dialect/messages_reply.h"

#include <algorithm>

#include "serve/dialect/error_body.h"
#include "serve/dialect/server_sent_event.h"

namespace bitfetch {

std::string MessagesReply::Begin() {
  if (!stream_) return {};
  const Json usage = JsonObject().Add("input_tokens", prompt_tokens_).Add("output_tokens", 0);
  return ServerSentEvent(
             "message_start",
             JsonObject().Add("type", "message_start").Add("message", Message({}, {}, {}, usage))) +
         Ping();
}

std::string MessagesReply::OnPiece(size_t, CompletionPiece piece) {
  return Deliver(answer_.Feed(piece.text));
}

std::string MessagesReply::OnEnd(size_t, const CompletionEnd& end) {
  end_ = end;
  return Deliver(answer_.Finish());
}

std::string MessagesReply::Ping() {
  return stream_ ? ServerSentEvent("ping", JsonObject().Add("type", "ping")) : "";
}

std::string MessagesReply::Finish() {
  if (!stream_) {
    std::vector<Json> content;
    for (size_t i = 0; i < blocks_.size(); ++i) content.push_back(Block(blocks_[i], i));
    return Json(Message(content, StopReason(), StopSequence(), Usage())).text;
  }
  const Json delta =
      JsonObject().Add("stop_reason", StopReason()).Add("stop_sequence", StopSequence());
  return CloseBlock() +
         ServerSentEvent(
             "message_delta",
             JsonObject().Add("type", "message_delta").Add("delta", delta).Add("usage", Usage())) +
         ServerSentEvent("message_stop", JsonObject().Add("type", "message_stop"));
}

std::string MessagesReply::Fail(const ApiError& error) {
  return ServerSentEvent("error", AnthropicError(error));
}

JsonObject MessagesReply::Message(const std::vector<Json>& content, const Json& stop_reason,
                                  const Json& stop_sequence, const Json& usage) const {
  return JsonObject()
      .Add("id", "msg_" + id_)
      .Add("type", "message")
      .Add("role", "assistant")
      .Add("content", content)
      .Add("model", model_.id)
      .Add("stop_reason", stop_reason)
      .Add("stop_sequence", stop_sequence)
      .Add("usage", usage);
}

JsonObject MessagesReply::Block(const AnswerPart& part, size_t index) const {
  switch (part.kind) {
    case AnswerPart::kThought:
      return JsonObject().Add("type", "thinking").Add("thinking", part.text).Add("signature", "");
    case AnswerPart::kText:
      return JsonObject().Add("type", "text").Add("text", part.text);
    case AnswerPart::kToolCall:
      break;
  }
  return JsonObject()
      .Add("type", "tool_use")
      .Add("id", fmt::format("toolu_{}_{}", id_, index))
      .Add("name", part.name)
      .Add("input", Json{part.text.empty() ? "{}" : part.text});
}

std::string MessagesReply::Event(std::string_view type, std::string_view key,
                                 const Json& value) const {
  JsonObject event;
  event.Add("type", type).Add("index", blocks_.size() - 1);
  if (!key.empty()) event.Add(key, value);
  return ServerSentEvent(type, event);
}

std::string MessagesReply::Deliver(const std::vector<AnswerPart>& parts) {
  std::string events;
  for (const AnswerPart& part : parts) {
    const bool goes_on =
        is_open_ && blocks_.back().kind == part.kind && part.kind != AnswerPart::kToolCall;
    if (!stream_) {
      if (goes_on) {
        blocks_.back().text += part.text;
      } else {
        blocks_.push_back(part);
      }
      is_open_ = true;
      continue;
    }
    if (!goes_on) {
      events += CloseBlock();
      blocks_.push_back({part.kind, "", part.name});
      is_open_ = true;
      events +=
          Event("content_block_start", "content_block", Block(blocks_.back(), blocks_.size() - 1));
    }
    JsonObject delta;
    if (part.kind == AnswerPart::kThought) {
      delta.Add("type", "thinking_delta").Add("thinking", part.text);
    } else if (part.kind == AnswerPart::kText) {
      delta.Add("type", "text_delta").Add("text", part.text);
    } else {
      delta.Add("type", "input_json_delta").Add("partial_json", part.text);
    }
    events += Event("content_block_delta", "delta", delta);
  }
  return events;
}

std::string MessagesReply::CloseBlock() {
  if (!is_open_) return {};
  is_open_ = false;
  return Event("content_block_stop", "", {});
}

Json MessagesReply::StopReason() const {
  using enum bitfetch::StopReason;
  if (end_.reason == kTokens || end_.reason == kContextFull) return ToJson("max_tokens");
  if (end_.reason == kStopString) return ToJson("stop_sequence");
  const bool calls = std::ranges::any_of(
      blocks_, [](const AnswerPart& block) { return block.kind == AnswerPart::kToolCall; });
  return ToJson(calls ? "tool_use" : "end_turn");
}

Json MessagesReply::StopSequence() const {
  return end_.reason == bitfetch::StopReason::kStopString ? ToJson(end_.stop_string) : Json();
}

Json MessagesReply::Usage() const {
  return JsonObject()
      .Add("input_tokens", end_.prompt_tokens - end_.cached_tokens)
      .Add("cache_creation_input_tokens", 0)
      .Add("cache_read_input_tokens", end_.cached_tokens)
      .Add("output_tokens", end_.tokens);
}

}  // namespace bitfetch
