// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_SERVE_DIALECT_CHAT_REPLY_H_
#define BITFETCH_SERVE_DIALECT_CHAT_REPLY_H_

#include <string>
#include <vector>

#include "serve/dialect/answer_stream.h"
#include "serve/dialect/openai_reply.h"

namespace bitfetch {

// The answer of /v1/chat/completions.
class ChatReply : public OpenAiReply {
 public:
  // What each choice begins with.
  ChatReply(const ServedModel& model, OpenAiReplyOptions options, const AnswerStream& answer);

  std::string Begin() override;
  std::string OnPrompt(size_t, std::vector<TokenLogprob>) override { return {}; }
  std::string OnPiece(size_t task, CompletionPiece piece) override;
  std::string OnEnd(size_t task, const CompletionEnd& end) override;

 private:
  struct Choice {
    AnswerStream answer;
    std::string thoughts = {};
    std::string text = {};
    std::vector<Json> calls = {};
    std::vector<TokenLogprob> logprobs = {};  // that were not sent
  };

  Json WholeChoice(size_t task) override;
  std::string Deliver(size_t task, const std::vector<AnswerPart>& parts);
  std::string Delta(size_t task, const Json& delta);
  JsonObject ToolCall(size_t task, const AnswerPart& part) const;
  Json TakeLogprobs(Choice* choice) const;
  std::string_view Reason(size_t task) const;

  std::vector<Choice> choices_;
};

}  // namespace bitfetch

#endif  // BITFETCH_SERVE_DIALECT_CHAT_REPLY_H_
