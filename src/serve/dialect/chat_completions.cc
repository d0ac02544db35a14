// SPDX-License-Identifier: Apache-2.0
#include "serve/dialect/chat_completions.h"

#include <utility>

#include "serve/dialect/chat_messages.h"
#include "serve/dialect/chat_reply.h"
#include "serve/dialect/conversation_task.h"
#include "serve/dialect/generation_fields.h"

namespace bitfetch {
namespace {

constexpr int kMaxTopLogprobs = 20;

void ReadChatLogprobs(const Field& request, bool* wanted, CompletionTask* task) {
  request["logprobs"].Get(wanted);
  const Field top = request["top_logprobs"];
  int count = 0;
  top.Get(&count, 0, kMaxTopLogprobs);
  if (*wanted) {
    task->top_logprobs = count;
  } else if (count > 0) {
    top.Refuse("is only for requests with 'logprobs'");
  }
}

}  // namespace

ApiResult<CompletionRequest> ReadChatCompletion(const ServedModel& model, std::string_view body,
                                                const RequestOrigin& origin) {
  BITFETCH_RETURN_IF_ERROR(CheckWrites(model));
  RequestBody parsed(body);
  const Field request = parsed.fields();
  CompletionTask task = ReadGeneration(request, model, origin, /*max_temperature=*/2);
  ReadStops(request["stop"], &task);
  ReadMaxTokens(request["max_tokens"], &task);
  ReadMaxTokens(request["max_completion_tokens"], &task);
  RefuseUnsupported(request,
                    {"functions", "function_call", "audio", "web_search_options", "prediction"});
  for (const Field& modality : request["modalities"].Items()) {
    std::string text;
    modality.GetOneOf(&text, {"text"});
  }

  OpenAiReplyOptions options = {.id = "chatcmpl-" + origin.id, .created = origin.created};
  ReadChatLogprobs(request, &options.logprobs, &task);
  ReadChoices(request["n"], &options.choices);
  ReadStreaming(request, &options.stream, &options.include_usage);
  const Conversation conversation = ReadChatMessages(request, model);
  BITFETCH_RETURN_IF_ERROR(parsed.Check());

  BITFETCH_ASSIGN_OR_RETURN(AnswerStream answer,
                            SetConversation(model, conversation, "messages", &task));
  CompletionRequest read;
  read.stream = options.stream;
  AddChoices(task, options.choices, &read.tasks);
  read.reply = std::make_unique<ChatReply>(model, std::move(options), std::move(answer));
  return read;
}

}  // namespace bitfetch
