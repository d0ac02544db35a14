// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_SERVE_DIALECT_CONVERSATION_H_
#define BITFETCH_SERVE_DIALECT_CONVERSATION_H_

#include <cstddef>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json_value.h"
#include "serve/dialect/field.h"
#include "serve/dialect/reply.h"
#include "serve/dialect/served_model.h"
#include "text/chat.h"
#include "text/constraint/form.h"

namespace bitfetch {

// A function that a model may call.
struct Tool {
  std::string name;
  Field parameters;         // what its arguments are, a JSON schema; not given: there are none
  jinja::Value shown = {};  // as OpenAI's chat completions have it, which templates expect
};

// What a chat template is given and what the answer may be, whichever dialect it came in.
struct Conversation {
  std::vector<jinja::Value> messages;
  ChatOptions options;
  std::vector<Tool> tools = {};             // that may be called
  bool must_call = false;                   // one of them
  std::optional<Form::Schema> format = {};  // of an answer that calls none
  size_t bytes = 0;                         // of all texts

  // Where the request asks for the form that it has.
  std::string_view form_field() const {
    return must_call ? std::string_view("tool_choice") : format->name;
  }
  void Add(jinja::Dict message) { messages.emplace_back(std::move(message)); }
};

// A message, and the text of which it is made.
jinja::Dict NewMessage(std::string role, std::string content, Conversation* conversation);

// A call that an assistant made, for its message's list `tool_calls`.
jinja::Value ToolCallValue(std::string name, std::string arguments);

// Somebody else's JSON, for templates.
jinja::Value ToValue(const JsonValue& json);

// The name is required; what else is not given is left out of what templates see.
Tool ReadTool(const Field& name, const Field& description, const Field& parameters);

// Adds a line to a text, of which the first has no line end in front.
void AddLine(std::string_view line, std::string* text);

// A text, or the parts of these types (whose text is in their `text`), each on a line. Parts of
// other types, images above all, are errors that name them.
std::string ReadContent(const Field& content, std::initializer_list<std::string_view> types);

// What reasoning_effort means to models that either think or don't: none and minimal that they
// don't.
void ReadEffort(const Field& effort, Conversation* conversation);

// An error where the model writes no text.
ApiResult<void> CheckWrites(const ServedModel& model);

struct ConversationPrompt {
  std::string text;
  std::vector<int> ids;  // that CheckPrompt() finds nothing wrong with
};

// Errors name `param`, the field that has the messages.
ApiResult<TracedText> RenderConversation(const ServedModel& model, const Conversation& conversation,
                                         std::string_view param);
ApiResult<ConversationPrompt> WriteConversation(const ServedModel& model,
                                                const Conversation& conversation,
                                                std::string_view param);

}  // namespace bitfetch

#endif  // BITFETCH_SERVE_DIALECT_CONVERSATION_H_
