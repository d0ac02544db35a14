// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_SERVE_DIALECT_OPENAI_REPLY_H_
#define BITFETCH_SERVE_DIALECT_OPENAI_REPLY_H_

#include <string>
#include <string_view>
#include <vector>

#include "serve/dialect/json_object.h"
#include "serve/dialect/reply.h"
#include "serve/dialect/served_model.h"

namespace bitfetch {

struct OpenAiReplyOptions {
  std::string id;
  int64_t created = 0;
  size_t prompts = 1;
  size_t choices = 1;  // of each prompt
  bool stream = false;
  bool include_usage = false;  // in a stream: in a chunk of its own at the end
  bool logprobs = false;
};

// What the answers of chat completions and of completions have in common: a body or chunks with a
// list of choices, and how they end.
class OpenAiReply : public Reply {
 public:
  OpenAiReply(const ServedModel& model, OpenAiReplyOptions options, std::string_view whole_object,
              std::string_view chunk_object)
      : model_(model),
        options_(std::move(options)),
        object_(options_.stream ? chunk_object : whole_object),
        ends_(options_.prompts * options_.choices) {}

  std::string Finish() override;
  std::string Fail(const ApiError& error) override;

 protected:
  // A choice of the answer as a whole, told once all have ended.
  virtual Json WholeChoice(size_t task) = 0;

  size_t size() const { return ends_.size(); }
  // A chunk of a stream with one choice.
  std::string Chunk(const Json& choice, bool is_last = false) const;
  // To be called at a task's end, before its last chunk.
  void SetEnd(size_t task, const CompletionEnd& end) { ends_[task] = end; }
  std::string_view FinishReason(size_t task) const;

  const ServedModel& model_;
  const OpenAiReplyOptions options_;

 private:
  JsonObject Head() const;
  Json Usage() const;
  // llama-server's, of an answer that is one text.
  void AddTimings(JsonObject* object) const;

  std::string_view object_;
  std::vector<CompletionEnd> ends_;  // [prompts * choices]
};

}  // namespace bitfetch

#endif  // BITFETCH_SERVE_DIALECT_OPENAI_REPLY_H_
