// SPDX-License-Identifier: Apache-2.0
#include "serve/dialect/chat_messages.h"

#include <algorithm>

#include "serve/dialect/constraints.h"
#include "serve/dialect/tool_choice.h"

namespace bitfetch {

using jinja::Value;

namespace {

std::vector<Value> ReadToolCalls(const Field& calls, Conversation* conversation) {
  std::vector<Value> values;
  for (const Field& call : calls.Items()) {
    std::string name, arguments;
    const Field function = call["function"];
    function["name"].Require();
    function["name"].Get(&name);
    function["arguments"].Get(&arguments);
    conversation->bytes += name.size() + arguments.size();
    values.push_back(ToolCallValue(std::move(name), std::move(arguments)));
  }
  return values;
}

void ReadMessage(const Field& message, const ServedModel& model, Conversation* conversation) {
  std::string role;
  message.Require();
  message["role"].Require();
  message["role"].GetOneOf(&role, {"system", "developer", "user", "assistant", "tool"});
  message["function_call"].RefuseUnsupported();
  message["audio"].RefuseUnsupported();
  const bool is_answer = role == "assistant";
  if (role == "tool" && !CallsTools(model)) {
    message["role"].Refuse("is 'tool', and this model's chat template has no tools",
                           "unsupported_value");
  }
  if (!is_answer) message["content"].Require();
  if (role == "developer") role = "system";
  jinja::Dict dict =
      NewMessage(std::move(role), ReadContent(message["content"], {"text"}), conversation);
  if (is_answer) {
    if (message["reasoning_content"].given()) {
      std::string thoughts;
      message["reasoning_content"].Get(&thoughts);
      conversation->bytes += thoughts.size();
      dict.Set("reasoning_content", Value::Foreign(std::move(thoughts)));
    }
    std::vector<Value> calls = ReadToolCalls(message["tool_calls"], conversation);
    if (!calls.empty()) dict.Set("tool_calls", std::move(calls));
  }
  conversation->Add(std::move(dict));
}

void ReadTools(const Field& request, const ServedModel& model, Conversation* conversation) {
  std::vector<Tool> tools;
  for (const Field& tool : request["tools"].Items()) {
    std::string type;
    tool.Require();
    tool["type"].Require();
    tool["type"].GetOneOf(&type, {"function"});
    const Field function = tool["function"];
    tools.push_back(ReadTool(function["name"], function["description"], function["parameters"]));
    if (tool.given()) tools.back().shown = ToValue(*tool.value());
  }
  OfferTools(request, model, std::move(tools), ReadToolChoice(request["tool_choice"], "function"),
             conversation);
}

}  // namespace

Conversation ReadChatMessages(const Field& request, const ServedModel& model) {
  Conversation conversation;
  const Field messages = request["messages"];
  messages.Require();
  const std::vector<Field> items = messages.Items();
  if (items.empty()) messages.Refuse("must hold a message at least");
  for (const Field& message : items) ReadMessage(message, model, &conversation);
  ReadTools(request, model, &conversation);
  conversation.format = ReadFormat(request["response_format"], "json_schema");
  ReadEffort(request["reasoning_effort"], &conversation);

  const Field variables = request["chat_template_kwargs"];
  if (const Field think = variables["enable_thinking"]; think.given()) {
    bool thinks = true;
    think.Get(&thinks);
    conversation.options.enable_thinking = thinks;
  }
  if (variables.Is<JsonValue::Object>()) {
    for (const auto& [name, value] : *variables.value()->As<JsonValue::Object>()) {
      if (name != "enable_thinking") variables[name].RefuseUnsupported();
    }
  }
  return conversation;
}

}  // namespace bitfetch
