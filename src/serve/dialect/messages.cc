// SPDX-License-Identifier: Apache-2.0
#include "serve/dialect/messages.h"

#include <utility>

#include "serve/dialect/constraints.h"
#include "serve/dialect/conversation_task.h"
#include "serve/dialect/generation_fields.h"
#include "serve/dialect/json_object.h"
#include "serve/dialect/messages_reply.h"
#include "serve/dialect/tool_choice.h"

namespace bitfetch {

using jinja::Value;

namespace {

// The blocks of a content, or the text that it is instead.
std::vector<Field> ReadBlocks(const Field& content, std::string* text) {
  if (content.Is<JsonValue::List>()) return content.Items();
  content.Get(text);
  return {};
}

// What a user says; before it the results of tools, which are messages of their own for templates.
void ReadUserMessage(const Field& content, const ServedModel& model, Conversation* conversation) {
  std::string text;
  bool has_results = false;
  for (const Field& block : ReadBlocks(content, &text)) {
    std::string type;
    block.Require();
    block["type"].GetOneOf(&type, {"text", "tool_result"});
    if (type == "tool_result") {
      CheckToolResult(block, model);
      block["tool_use_id"].Require();
      conversation->Add(NewMessage("tool", ReadContent(block["content"], {"text"}), conversation));
      has_results = true;
      continue;
    }
    std::string part;
    block["text"].Require();
    block["text"].Get(&part);
    AddLine(part, &text);
  }
  if (!text.empty() || !has_results) {
    conversation->Add(NewMessage("user", std::move(text), conversation));
  }
}

void ReadAssistantMessage(const Field& content, Conversation* conversation) {
  std::string text, thoughts;
  std::vector<Value> calls;
  for (const Field& block : ReadBlocks(content, &text)) {
    std::string type, part;
    block.Require();
    block["type"].GetOneOf(&type, {"text", "thinking", "tool_use"});
    if (type == "tool_use") {
      block["name"].Require();
      block["name"].Get(&part);
      const JsonValue* input = block["input"].value();
      std::string arguments = input == nullptr ? "{}" : WriteJson(*input);
      conversation->bytes += arguments.size();
      calls.push_back(ToolCallValue(std::move(part), std::move(arguments)));
      continue;
    }
    const Field said = block[type == "text" ? "text" : "thinking"];
    said.Require();
    said.Get(&part);
    AddLine(part, type == "text" ? &text : &thoughts);
  }
  jinja::Dict message = NewMessage("assistant", std::move(text), conversation);
  if (!thoughts.empty()) {
    conversation->bytes += thoughts.size();
    message.Set("reasoning_content", Value::Foreign(std::move(thoughts)));
  }
  if (!calls.empty()) message.Set("tool_calls", std::move(calls));
  conversation->Add(std::move(message));
}

void ReadMessageTools(const Field& request, const ServedModel& model, Conversation* conversation) {
  std::vector<Tool> tools;
  for (const Field& tool : request["tools"].Items()) {
    std::string type = "custom";
    tool.Require();
    tool["type"].GetOneOf(&type, {"custom"});
    tools.push_back(ReadTool(tool["name"], tool["description"], tool["input_schema"]));
  }
  const Field choice = request["tool_choice"];
  std::string type = "auto";
  choice["type"].GetOneOf(&type, {"auto", "none", "any", "tool"});
  ToolChoice read = {.offers = type != "none", .must_call = type == "any" || type == "tool"};
  if (type == "tool") {
    choice["name"].Require();
    read.name = choice["name"];
  }
  OfferTools(request, model, std::move(tools), read, conversation);
}

Conversation ReadConversation(const Field& request, const ServedModel& model) {
  Conversation conversation;
  if (request["system"].given()) {
    conversation.Add(NewMessage("system", ReadContent(request["system"], {"text"}), &conversation));
  }
  const Field messages = request["messages"];
  messages.Require();
  const std::vector<Field> items = messages.Items();
  if (items.empty()) messages.Refuse("must hold a message at least");
  std::string role;
  for (const Field& message : items) {
    message.Require();
    message["role"].Require();
    message["role"].GetOneOf(&role, {"user", "assistant"});
    message["content"].Require();
    if (role == "user") {
      ReadUserMessage(message["content"], model, &conversation);
    } else {
      ReadAssistantMessage(message["content"], &conversation);
    }
  }
  if (role == "assistant") {
    messages.Refuse("must end with the user's: an answer that is begun already is not supported",
                    "unsupported_value");
  }
  ReadMessageTools(request, model, &conversation);

  // Whoever asks for none expects none.
  std::string thinking = "disabled";
  request["thinking"]["type"].GetOneOf(&thinking, {"enabled", "disabled", "adaptive"});
  conversation.options.enable_thinking = thinking != "disabled";
  // Anthropic has it in both places, the second since it is no beta any more.
  conversation.format = ReadFormat(request["output_format"]);
  if (const Field format = request["output_config"]["format"]; format.given()) {
    conversation.format = ReadFormat(format);
  }
  RefuseUnsupported(request, {"mcp_servers", "container", "context_management"});
  return conversation;
}

}  // namespace

ApiResult<CompletionRequest> ReadMessages(const ServedModel& model, std::string_view body,
                                          const RequestOrigin& origin) {
  BITFETCH_RETURN_IF_ERROR(CheckWrites(model));
  RequestBody parsed(body);
  const Field request = parsed.fields();
  CompletionTask task = ReadGeneration(request, model, origin, /*max_temperature=*/1);
  ReadStops(request["stop_sequences"], &task);
  ReadMaxTokens(request["max_tokens"], &task);
  CompletionRequest read;
  request["stream"].Get(&read.stream);
  const Conversation conversation = ReadConversation(request, model);
  BITFETCH_RETURN_IF_ERROR(parsed.Check());

  BITFETCH_ASSIGN_OR_RETURN(AnswerStream answer,
                            SetConversation(model, conversation, "messages", &task));
  read.reply = std::make_unique<MessagesReply>(model, origin.id, std::ssize(task.prompt),
                                               read.stream, std::move(answer));
  read.tasks.push_back(std::move(task));
  return read;
}

ApiResult<std::string> CountMessageTokens(const ServedModel& model, std::string_view body) {
  BITFETCH_RETURN_IF_ERROR(CheckWrites(model));
  RequestBody parsed(body);
  const Conversation conversation = ReadConversation(parsed.fields(), model);
  BITFETCH_RETURN_IF_ERROR(parsed.Check());
  BITFETCH_ASSIGN_OR_RETURN(const ConversationPrompt prompt,
                            WriteConversation(model, conversation, "messages"));
  return Json(JsonObject().Add("input_tokens", prompt.ids.size())).text;
}

}  // namespace bitfetch
