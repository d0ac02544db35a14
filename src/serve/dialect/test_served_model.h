// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_SERVE_DIALECT_TEST_SERVED_MODEL_H_
#define BITFETCH_SERVE_DIALECT_TEST_SERVED_MODEL_H_

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "serve/dialect/reply.h"
#include "serve/dialect/served_model.h"
#include "text/test_vocabulary.h"

namespace bitfetch {

// In the manner of Qwen3's.
inline constexpr std::string_view kTestTemplate =
    R"({% if tools %}<|im_start|>tools {% for tool in tools %}{{ tool | tojson }}{% endfor %}<|im_end|>{% endif %}{% for message in messages %}<|im_start|>{{ message.role }} {% if message.reasoning_content %}({{ message.reasoning_content }}){% endif %}{{ message.content }}{% if message.tool_calls %}{% for call in message.tool_calls %}<tool_call>{{ call.function.name }} {{ call.function.arguments }}</tool_call>{% endfor %}{% endif %}<|im_end|>{% endfor %}<|im_start|>assistant {% if enable_thinking is defined %}{{ '<think>' if enable_thinking else '<think></think>' }}{% endif %})";

// The test vocabulary, with ChatML's control tokens, and a context of 1000 tokens.
inline ServedModel TestServedModel(std::string_view chat_template = kTestTemplate) {
  Vocabulary vocabulary = TestVocabulary();
  AddToken("<|im_start|>", kControlToken, &vocabulary);
  AddToken("<|im_end|>", kControlToken, &vocabulary);
  vocabulary.add_bos = true;
  return {.id = "tiny",
          .created = 1700000000,
          .tokenizer = *Tokenizer::Create(vocabulary),
          .chat_template = ChatTemplate::Parse("mine", std::string(chat_template)).value(),
          .context = 1000};
}

inline const RequestOrigin kTestOrigin = {
    .id = "7", .created = 1800000000, .seed = 99, .client = "someone"};

// Text as it is, control tokens as [name].
inline std::string ShowTokens(const ServedModel& model, const std::vector<int>& ids) {
  std::string shown;
  for (const int id : ids) {
    const std::string_view name = model.tokenizer.ControlName(id);
    shown += name.empty() ? model.tokenizer.TokenBytes(id)
                          : fmt::format("[{}]", name.substr(2, name.size() - 4));
  }
  return shown;
}

inline std::string ShowError(const ApiError& error) {
  return fmt::format("{} {} | {} | {}", error.status, error.message, error.param, error.code);
}

template <class T>
std::string ErrorOf(const ApiResult<T>& result) {
  return result ? "none" : ShowError(result.error());
}

// All that a reply says to these pieces of its only task.
inline std::string Answer(Reply& reply, const std::vector<CompletionPiece>& pieces,
                          const CompletionEnd& end) {
  std::string answer = reply.Begin();
  for (const CompletionPiece& piece : pieces) answer += reply.OnPiece(0, piece);
  answer += reply.OnEnd(0, end);
  return answer + reply.Finish();
}

}  // namespace bitfetch

#endif  // BITFETCH_SERVE_DIALECT_TEST_SERVED_MODEL_H_
