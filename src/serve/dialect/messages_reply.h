// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_SERVE_DIALECT_MESSAGES_REPLY_H_
#define BITFETCH_SERVE_DIALECT_MESSAGES_REPLY_H_

#include <string>
#include <string_view>
#include <vector>

#include "serve/dialect/answer_stream.h"
#include "serve/dialect/json_object.h"
#include "serve/dialect/reply.h"
#include "serve/dialect/served_model.h"

namespace bitfetch {

// The answer of /v1/messages: blocks of content, of which each that follows the last of its kind
// is told as one.
class MessagesReply : public Reply {
 public:
  MessagesReply(const ServedModel& model, std::string id, int64_t prompt_tokens, bool stream,
                AnswerStream answer)
      : model_(model),
        id_(std::move(id)),
        prompt_tokens_(prompt_tokens),
        stream_(stream),
        answer_(std::move(answer)) {}

  std::string Begin() override;
  std::string OnPrompt(size_t, std::vector<TokenLogprob>) override { return {}; }
  std::string OnPiece(size_t task, CompletionPiece piece) override;
  std::string OnEnd(size_t task, const CompletionEnd& end) override;
  std::string Ping() override;
  std::string Finish() override;
  std::string Fail(const ApiError& error) override;

 private:
  JsonObject Message(const std::vector<Json>& content, const Json& stop_reason,
                     const Json& stop_sequence, const Json& usage) const;
  JsonObject Block(const AnswerPart& part, size_t index) const;
  // One of the events that are about a block.
  std::string Event(std::string_view type, std::string_view key, const Json& value) const;
  std::string Deliver(const std::vector<AnswerPart>& parts);
  std::string CloseBlock();
  Json StopReason() const;
  Json StopSequence() const;
  Json Usage() const;

  const ServedModel& model_;
  const std::string id_;
  const int64_t prompt_tokens_;
  const bool stream_;
  AnswerStream answer_;
  std::vector<AnswerPart> blocks_;  // all that were begun; in a stream without their texts
  bool is_open_ = false;            // the last of them
  CompletionEnd end_;
};

}  // namespace bitfetch

#endif  // BITFETCH_SERVE_DIALECT_MESSAGES_REPLY_H_
