// SPDX-License-Identifier: Apache-2.0
#include "serve/dialect/conversation.h"

#include <algorithm>
#include <type_traits>

#include "serve/dialect/prompt.h"

namespace bitfetch {

using jinja::Value;

namespace {

tl::unexpected<ApiError> Refused(std::string_view param, const Error& error) {
  return tl::unexpected(
      ApiError{.message = error.message, .param = std::string(param), .code = "invalid_value"});
}

}  // namespace

jinja::Dict NewMessage(std::string role, std::string content, Conversation* conversation) {
  conversation->bytes += content.size();
  jinja::Dict message;
  message.Set("role", Value::Own(std::move(role)));
  message.Set("content", Value::Foreign(std::move(content)));
  return message;
}

Value ToolCallValue(std::string name, std::string arguments) {
  jinja::Dict function;
  function.Set("name", Value::Foreign(std::move(name)));
  function.Set("arguments", Value::Foreign(std::move(arguments)));
  jinja::Dict call;
  call.Set("type", Value::Own("function"));
  call.Set("function", std::move(function));
  return call;
}

Value ToValue(const JsonValue& json) {
  return std::visit(
      [](const auto& is) -> Value {
        using T = std::decay_t<decltype(is)>;
        if constexpr (std::is_same_v<T, std::monostate>) {
          return jinja::None();
        } else if constexpr (std::is_same_v<T, bool>) {
          return is;
        } else if constexpr (std::is_same_v<T, int64_t>) {
          return Value::Integer(static_cast<double>(is));
        } else if constexpr (std::is_same_v<T, double>) {
          return Value::Float(is);
        } else if constexpr (std::is_same_v<T, std::string>) {
          return Value::Foreign(is);
        } else if constexpr (std::is_same_v<T, JsonValue::List>) {
          std::vector<Value> items;
          for (const JsonValue& item : is) items.push_back(ToValue(item));
          return items;
        } else {
          // Not by Set(), which looks for the key: these differ already.
          jinja::Dict dict;
          for (const auto& [key, item] : is) {
            dict.entries.emplace_back(key, ToValue(item));
            dict.depth = std::max(dict.depth, dict.entries.back().second.depth() + 1);
          }
          return dict;
        }
      },
      json.value);
}

Tool ReadTool(const Field& name, const Field& description, const Field& parameters) {
  Tool tool = {.name = {}, .parameters = parameters};
  name.Require();
  name.Get(&tool.name);
  if (name.given() && tool.name.empty()) name.Refuse("must not be empty");
  std::string type;
  parameters["type"].GetOneOf(&type, {"object"});
  jinja::Dict function;
  function.Set("name", Value::Foreign(tool.name));
  if (description.given()) function.Set("description", ToValue(*description.value()));
  if (parameters.given()) function.Set("parameters", ToValue(*parameters.value()));
  jinja::Dict shown;
  shown.Set("type", Value::Own("function"));
  shown.Set("function", std::move(function));
  tool.shown = std::move(shown);
  return tool;
}

void AddLine(std::string_view line, std::string* text) {
  if (!text->empty()) *text += '\n';
  *text += line;
}

std::string ReadContent(const Field& content, std::initializer_list<std::string_view> types) {
  std::string text;
  if (!content.Is<JsonValue::List>()) {
    content.Get(&text);
    return text;
  }
  for (const Field& part : content.Items()) {
    part.Require();
    part["type"].Require();
    std::string type, part_text;
    part["type"].Get(&type);
    if (std::ranges::find(types, type) == types.end()) {
      part.Refuse(fmt::format("is of the type {}, and only text is supported", QuoteJson(type)),
                  "unsupported_value");
    }
    part["text"].Require();
    part["text"].Get(&part_text);
    AddLine(part_text, &text);
  }
  return text;
}

void ReadEffort(const Field& effort, Conversation* conversation) {
  if (!effort.given()) return;
  std::string level;
  effort.GetOneOf(&level, {"none", "minimal", "low", "medium", "high", "xhigh"});
  conversation->options.enable_thinking = level != "none" && level != "minimal";
}

ApiResult<void> CheckWrites(const ServedModel& model) {
  if (!model.embeds) return {};
  return tl::unexpected(
      ApiError{.message = fmt::format("the model {} gives embeddings and writes no text", model.id),
               .param = "model",
               .code = "unsupported_value"});
}

ApiResult<TracedText> RenderConversation(const ServedModel& model, const Conversation& conversation,
                                         std::string_view param) {
  if (!model.chat_template) {
    return Refused(param, Error(fmt::format("the model {} has no chat template", model.id)));
  }
  BITFETCH_RETURN_IF_ERROR(CheckBytes(model, conversation.bytes, param));
  const Chat chat(*model.chat_template, &model.tokenizer, conversation.options);
  auto text = chat.Render(conversation.messages);
  if (!text) return Refused(param, text.error());
  return *std::move(text);
}

ApiResult<ConversationPrompt> WriteConversation(const ServedModel& model,
                                                const Conversation& conversation,
                                                std::string_view param) {
  BITFETCH_ASSIGN_OR_RETURN(const TracedText text, RenderConversation(model, conversation, param));
  // The template's own bytes may be names of control tokens, longer than any token's bytes.
  size_t foreign = 0;
  size_t begin = 0;
  for (const auto& [end, author] : text.runs()) {
    if (author == TracedText::Author::kOther) foreign += end - begin;
    begin = end;
  }
  BITFETCH_RETURN_IF_ERROR(CheckBytes(model, foreign, param));
  auto ids = EncodeTraced(model.tokenizer, text);
  if (!ids) return Refused(param, ids.error());
  BITFETCH_RETURN_IF_ERROR(CheckPrompt(model, *ids, param));
  return ConversationPrompt{text.bytes(), *std::move(ids)};
}

}  // namespace bitfetch
