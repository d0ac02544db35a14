// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_TEXT_CHAT_H_
#define BITFETCH_TEXT_CHAT_H_

#include <cstddef>
#include <memory>
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

// How conversations are written, in Jinja, as far as docs/chat-templates.md says. Copies share what
// was parsed.
class ChatTemplate {
 public:
  // Errors name the template and its line. Costs some 50 us for a KB.
  static Result<ChatTemplate> Parse(std::string name, std::string text);

  const std::string& name() const { return name_; }
  const std::string& text() const { return text_; }
  const jinja::Block& program() const { return *program_; }

 private:
  ChatTemplate(std::string name, std::string text, jinja::Block program)
      : name_(std::move(name)),
        text_(std::move(text)),
        program_(std::make_shared<const jinja::Block>(std::move(program))) {}

  std::string name_;
  std::string text_;
  std::shared_ptr<const jinja::Block> program_;
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
  // `tokenizer` must outlive the chat.
  Chat(ChatTemplate chat_template, const Tokenizer* tokenizer, ChatOptions options = {});

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
  ChatTemplate template_;
  const Tokenizer* tokenizer_;
  jinja::Dict variables_;  // but for the messages
};

// The ids of a text: control tokens where the template's bytes name one, the longest at each place,
// and between them what Tokenizer::Encode() reads.
Result<std::vector<int>> EncodeTraced(const Tokenizer& tokenizer, const TracedText& text,
                                      size_t* replaced = nullptr);

}  // namespace bitfetch

#endif  // BITFETCH_TEXT_CHAT_H_
