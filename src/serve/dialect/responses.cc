// SPDX-License-Identifier: Apache-2.0
#include "serve/dialect/responses.h"

#include <utility>

#include "serve/dialect/constraints.h"
#include "serve/dialect/conversation_task.h"
#include "serve/dialect/generation_fields.h"
#include "serve/dialect/responses_reply.h"
#include "serve/dialect/tool_choice.h"

namespace bitfetch {

using jinja::Value;

namespace {

// Items of an input, in which what a model thinks, says and calls in one turn are several:
// templates have them as one message.
class InputReader {
 public:
  InputReader(const ServedModel& model, Conversation* conversation)
      : model_(model), conversation_(*conversation) {}

  void Read(const Field& item) {
    std::string type = "message";
    item.Require();
    item["type"].GetOneOf(&type, {"message", "reasoning", "function_call", "function_call_output"});
    if (type == "message") {
      ReadMessage(item);
    } else if (type == "reasoning") {
      if (!calls_.empty() || has_text_) Flush();
      AddLine(ReadContent(item["content"], {"reasoning_text"}), &thoughts_);
    } else if (type == "function_call") {
      std::string name, arguments;
      item["name"].Require();
      item["name"].Get(&name);
      item["arguments"].Get(&arguments);
      conversation_.bytes += arguments.size();
      calls_.push_back(ToolCallValue(std::move(name), std::move(arguments)));
    } else {
      Flush();
      CheckToolResult(item, model_);
      item["output"].Require();
      conversation_.Add(
          NewMessage("tool", ReadContent(item["output"], {"input_text"}), &conversation_));
    }
  }

  // Ends the model's turn.
  void Flush() {
    if (!has_text_ && calls_.empty()) {
      thoughts_.clear();  // that led to nothing
      return;
    }
    jinja::Dict message = NewMessage("assistant", std::exchange(text_, {}), &conversation_);
    conversation_.bytes += thoughts_.size();
    if (!thoughts_.empty()) {
      message.Set("reasoning_content", Value::Foreign(std::exchange(thoughts_, {})));
    }
    if (!calls_.empty()) message.Set("tool_calls", std::exchange(calls_, {}));
    has_text_ = false;
    conversation_.Add(std::move(message));
  }

 private:
  void ReadMessage(const Field& item) {
    std::string role;
    item["role"].Require();
    item["role"].GetOneOf(&role, {"system", "developer", "user", "assistant"});
    item["content"].Require();
    std::string text = ReadContent(item["content"], {"input_text", "output_text"});
    if (role == "assistant") {
      if (has_text_ || !calls_.empty()) Flush();
      text_ = std::move(text);
      has_text_ = true;
      return;
    }
    Flush();
    conversation_.Add(
        NewMessage(role == "user" ? "user" : "system", std::move(text), &conversation_));
  }

  const ServedModel& model_;
  Conversation& conversation_;
  std::string thoughts_, text_;
  bool has_text_ = false;
  std::vector<Value> calls_;
};

void ReadResponseTools(const Field& request, const ServedModel& model, Conversation* conversation) {
  std::vector<Tool> tools;
  for (const Field& tool : request["tools"].Items()) {
    std::string type;
    tool.Require();
    tool["type"].Require();
    tool["type"].GetOneOf(&type, {"function"});
    tools.push_back(ReadTool(tool["name"], tool["description"], tool["parameters"]));
  }
  OfferTools(request, model, std::move(tools), ReadToolChoice(request["tool_choice"]),
             conversation);
}

Conversation ReadInput(const Field& request, const ServedModel& model) {
  Conversation conversation;
  if (request["instructions"].given()) {
    std::string text;
    request["instructions"].Get(&text);
    conversation.Add(NewMessage("system", std::move(text), &conversation));
  }
  const Field input = request["input"];
  input.Require();
  if (input.Is<JsonValue::List>()) {
    InputReader reader(model, &conversation);
    for (const Field& item : input.Items()) reader.Read(item);
    reader.Flush();
  } else {
    std::string text;
    input.Get(&text);
    conversation.Add(NewMessage("user", std::move(text), &conversation));
  }
  if (conversation.messages.empty()) input.Refuse("must hold a message at least");
  ReadResponseTools(request, model, &conversation);
  conversation.format = ReadFormat(request["text"]["format"]);
  ReadEffort(request["reasoning"]["effort"], &conversation);
  return conversation;
}

}  // namespace

ApiResult<CompletionRequest> ReadResponse(const ServedModel& model, std::string_view body,
                                          const RequestOrigin& origin) {
  BITFETCH_RETURN_IF_ERROR(CheckWrites(model));
  RequestBody parsed(body);
  const Field request = parsed.fields();
  CompletionTask task = ReadGeneration(request, model, origin, /*max_temperature=*/2);
  ReadMaxTokens(request["max_output_tokens"], &task);
  RefuseUnsupported(request, {"previous_response_id", "conversation", "background", "prompt",
                              "max_tool_calls", "top_logprobs"});
  std::string truncation;
  request["truncation"].GetOneOf(&truncation, {"disabled"});
  CompletionRequest read;
  request["stream"].Get(&read.stream);
  const Conversation conversation = ReadInput(request, model);
  BITFETCH_RETURN_IF_ERROR(parsed.Check());

  BITFETCH_ASSIGN_OR_RETURN(AnswerStream answer,
                            SetConversation(model, conversation, "input", &task));
  read.reply =
      std::make_unique<ResponsesReply>(model, origin, task, read.stream, std::move(answer));
  read.tasks.push_back(std::move(task));
  return read;
}

}  // namespace bitfetch
