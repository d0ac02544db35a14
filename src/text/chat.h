// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_TEXT_CHAT_H_
#define BITFETCH_TEXT_CHAT_H_

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "text/jinja/syntax.h"
#include "text/jinja/traced_text.h"
#include "text/jinja/value.h"
#include "text/tokenizer.h"

namespace bitfetch {

// A message, for templates: {"role": "user", "content": "..."}. The role is the program's word, the
// content somebody else's. What more a message has (tool_calls, reasoning_content) goes into the
// dict that it is.
jinja::Value ChatMessage(std::string role, std::string content);

struct ChatTemplate {
  std::string name;  // for messages
  std::string text;  // Jinja, as far as docs/chat-templates.md says
};

struct ChatOptions {
  std::optional<bool> enable_thinking = {};  // what the template is told; none: nothing
  jinja::Value tools = {};                   // a list of them, or undefined
};

// A conversation as a model is given it.
struct ChatPrompt {
  TracedText text;
  std::vector<int> ids;
};

// Writes conversations as a chat template does. Any number of threads may use one at once.
class Chat {
 public:
  // Errors name the template and its line. `tokenizer` must outlive the chat.
  static Result<Chat> Create(const ChatTemplate& chat_template, const Tokenizer* tokenizer,
                             ChatOptions options = {});

  // The text that the template makes of these messages. Errors: what the template can't render, or
  // refuses, with its name and line.
  Result<TracedText> Render(std::span<const jinja::Value> messages) const;

  // What a model is to be given so that it answers these messages. Control tokens are where the
  // template's own text names them; texts of messages are read as text, whatever they contain or
  // complete. Broken UTF-8 in them as in Tokenizer::Encode().
  //
  // `before` is what a model was given and has answered. Where the conversation goes on from that
  // text, its ids stay as they are, also those that the model chose otherwise than Encode() would.
  // Errors: Render's.
  Result<ChatPrompt> Prompt(std::span<const jinja::Value> messages, const ChatPrompt& before = {},
                            size_t* replaced = nullptr) const;

 private:
  Chat(std::string name, jinja::Block program, const Tokenizer* tokenizer, jinja::Dict variables)
      : name_(std::move(name)),
        program_(std::move(program)),
        tokenizer_(tokenizer),
        variables_(std::move(variables)) {}

  std::string name_;
  jinja::Block program_;
  const Tokenizer* tokenizer_;
  jinja::Dict variables_;  // but for the messages
};

// The ids of a text: control tokens where the template's bytes name one, the longest at each place,
// and between them what Tokenizer::Encode() reads.
Result<std::vector<int>> EncodeTraced(const Tokenizer& tokenizer, const TracedText& text,
                                      size_t* replaced = nullptr);

}  // namespace bitfetch

#endif  // BITFETCH_TEXT_CHAT_H_
