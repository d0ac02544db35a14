// SPDX-License-Identifier: Apache-2.0
#include "text/chat.h"

#include <string_view>

#include "text/jinja/parser.h"
#include "text/jinja/render.h"

namespace bitfetch {

using jinja::Value;

namespace {

template <class T>
Result<T> InTemplate(std::string_view name, Result<T> result) {
  return std::move(result).map_error(
      [&](const Error& error) { return Error{fmt::format("{}: {}", name, error.message)}; });
}

}  // namespace

Value ChatMessage(std::string role, std::string content) {
  jinja::Dict message;
  message.Set("role", Value::Own(std::move(role)));
  message.Set("content", Value::Foreign(std::move(content)));
  return message;
}

Result<ChatTemplate> ChatTemplate::Parse(std::string name, std::string text) {
  BITFETCH_ASSIGN_OR_RETURN(jinja::Block program, InTemplate(name, jinja::Parse(text)));
  return ChatTemplate(std::move(name), std::move(text), std::move(program));
}

Chat::Chat(ChatTemplate chat_template, const Tokenizer* tokenizer, ChatOptions options)
    : template_(std::move(chat_template)), tokenizer_(tokenizer) {
  variables_.Set("add_generation_prompt", true);
  variables_.Set("add_bos_token", tokenizer->add_bos());
  for (const auto& [name, id] :
       {std::pair("bos_token", tokenizer->bos()), std::pair("eos_token", tokenizer->eos())}) {
    if (id >= 0) variables_.Set(name, Value::Own(std::string(tokenizer->ControlName(id))));
  }
  if (options.enable_thinking) variables_.Set("enable_thinking", *options.enable_thinking);
  variables_.Set("tools", std::move(options.tools));
}

Result<TracedText> Chat::Render(std::span<const Value> messages) const {
  jinja::Dict variables = variables_;
  variables.Set("messages", std::vector<Value>(messages.begin(), messages.end()));
  return InTemplate(template_.name(), jinja::Render(template_.program(), variables));
}

Result<ChatPrompt> Chat::Prompt(std::span<const Value> messages, const ChatPrompt& before,
                                size_t* replaced) const {
  BITFETCH_ASSIGN_OR_RETURN(TracedText text, Render(messages));
  std::vector<int> ids;
  size_t known = 0;
  if (text.StartsWith(before.text)) {
    ids = before.ids;
    known = before.text.size();
  }
  BITFETCH_ASSIGN_OR_RETURN(const std::vector<int> more,
                            EncodeTraced(*tokenizer_, text.Slice(known), replaced));
  ids.insert(ids.end(), more.begin(), more.end());
  return ChatPrompt{std::move(text), std::move(ids)};
}

Result<std::vector<int>> EncodeTraced(const Tokenizer& tokenizer, const TracedText& text,
                                      size_t* replaced) {
  const std::string_view bytes = text.bytes();
  std::vector<int> ids;
  size_t plain = 0;  // where what has not been encoded begins
  const auto encode_until = [&](size_t end) -> Status {
    BITFETCH_ASSIGN_OR_RETURN(
        const std::vector<int> more,
        tokenizer.Encode(bytes.substr(plain, end - plain), /*add_bos=*/false, replaced));
    ids.insert(ids.end(), more.begin(), more.end());
    return {};
  };
  size_t at = 0;
  for (const TracedText::Run& run : text.runs()) {
    while (run.author == TracedText::Author::kTemplate && at < run.end) {
      const std::string_view name = tokenizer.ControlTokenAt(bytes.substr(at, run.end - at));
      if (name.empty()) {
        ++at;
        continue;
      }
      BITFETCH_RETURN_IF_ERROR(encode_until(at));
      ids.push_back(*tokenizer.ControlToken(name));
      at += name.size();
      plain = at;
    }
    at = run.end;
  }
  BITFETCH_RETURN_IF_ERROR(encode_until(bytes.size()));
  return ids;
}

}  // namespace bitfetch
