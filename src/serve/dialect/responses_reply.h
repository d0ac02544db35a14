// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_SERVE_DIALECT_RESPONSES_REPLY_H_
#define BITFETCH_SERVE_DIALECT_RESPONSES_REPLY_H_

#include <string>
#include <string_view>
#include <vector>

#include "serve/dialect/answer_stream.h"
#include "serve/dialect/json_object.h"
#include "serve/dialect/reply.h"
#include "serve/dialect/served_model.h"

namespace bitfetch {

// The answer of /v1/responses: items of output, each what the model thinks, says or calls.
class ResponsesReply : public Reply {
 public:
  ResponsesReply(const ServedModel& model, const RequestOrigin& origin, const CompletionTask& task,
                 bool stream, AnswerStream answer);

  std::string Begin() override;
  std::string OnPrompt(size_t, std::vector<TokenLogprob>) override { return {}; }
  std::string OnPiece(size_t task, CompletionPiece piece) override;
  std::string OnEnd(size_t task, const CompletionEnd& end) override;
  std::string Finish() override;
  std::string Fail(const ApiError& error) override;

 private:
  // Each event has the next number.
  std::string Event(std::string_view type, JsonObject fields);
  JsonObject Response(std::string_view status) const;
  JsonObject Item(size_t index, bool is_done) const;
  JsonObject Content(const AnswerPart& part, bool is_done) const;
  std::string ItemId(size_t index) const;
  // The tokens that encode all thoughts, for who drew which is forgotten.
  size_t ThoughtTokens() const;
  // What events within the last item say of their place.
  JsonObject Place() const;
  bool has_content() const { return items_.back().kind != AnswerPart::kToolCall; }
  std::string Deliver(const std::vector<AnswerPart>& parts);
  std::string OpenItem(const AnswerPart& part);
  std::string CloseItem();

  const ServedModel& model_;
  const RequestOrigin origin_;
  const double temperature_;
  const double top_p_;
  const int64_t max_tokens_;
  const bool stream_;
  AnswerStream answer_;
  std::vector<AnswerPart> items_;  // all that were begun
  bool is_open_ = false;           // the last of them
  int64_t sequence_number_ = 0;
  CompletionEnd end_;
};

}  // namespace bitfetch

#endif  // BITFETCH_SERVE_DIALECT_RESPONSES_REPLY_H_
