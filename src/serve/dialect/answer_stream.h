// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_SERVE_DIALECT_ANSWER_STREAM_H_
#define BITFETCH_SERVE_DIALECT_ANSWER_STREAM_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "text/thinking.h"

namespace bitfetch {

// A part of an answer: some of what the model thinks or says, or a whole call of a tool.
struct AnswerPart {
  enum Kind { kThought, kText, kToolCall };
  Kind kind;
  std::string text;       // of a call its arguments, JSON
  std::string name = {};  // of the tool
};

// Tells the parts of an answer: thoughts as ThinkingStream does, and calls of tools as Qwen3 and
// others write them: <tool_call>{"name": "...", "arguments": {...}}</tool_call>. White space before
// and between calls is dropped. What is no such JSON is text. It does not matter how the answer is
// cut.
class AnswerStream {
 public:
  AnswerStream(bool begins_thinking, bool calls_tools)
      : thinking_(begins_thinking), calls_tools_(calls_tools) {}

  std::vector<AnswerPart> Feed(std::string_view text);
  // The answer ends: what was held back.
  std::vector<AnswerPart> Finish();

 private:
  void Take(const std::vector<ThinkingStream::Part>& told, std::vector<AnswerPart>* parts);
  // Moves on as far as `held_` tells; whether it did.
  bool Step(std::vector<AnswerPart>* parts);
  void AddCall(std::string_view json, std::string_view end, std::vector<AnswerPart>* parts);

  ThinkingStream thinking_;
  bool calls_tools_;
  bool in_call_ = false;      // `held_` begins behind <tool_call>
  bool behind_call_ = false;  // white space is dropped
  std::string held_;
  size_t searched_ = 0;  // bytes of it that have no </tool_call>
};

}  // namespace bitfetch

#endif  // BITFETCH_SERVE_DIALECT_ANSWER_STREAM_H_
