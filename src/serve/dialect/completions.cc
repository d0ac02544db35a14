// SPDX-License-Identifier: Apache-2.0
#include "serve/dialect/completions.h"

#include <utility>

#include "base/utf8.h"
#include "serve/dialect/completion_reply.h"
#include "serve/dialect/constraints.h"
#include "serve/dialect/conversation.h"
#include "serve/dialect/generation_fields.h"
#include "serve/dialect/prompt.h"
#include "serve/dialect/prompt_list.h"

namespace bitfetch {
namespace {

constexpr size_t kMaxTasks = 512;
constexpr int kMaxLogprobs = 5;

}  // namespace

ApiResult<CompletionRequest> ReadCompletion(const ServedModel& model, std::string_view body,
                                            const RequestOrigin& origin) {
  BITFETCH_RETURN_IF_ERROR(CheckWrites(model));
  RequestBody parsed(body);
  const Field request = parsed.fields();
  CompletionTask task = ReadGeneration(request, model, origin, /*max_temperature=*/2);
  ReadStops(request["stop"], &task);
  ReadMaxTokens(request["max_tokens"], &task);
  const std::optional<Form::Schema> format = ReadFormat(request["response_format"], "json_schema");
  RefuseUnsupported(request, {"suffix"});

  OpenAiReplyOptions options = {.id = "cmpl-" + origin.id, .created = origin.created};
  bool echoes = false;
  request["echo"].Get(&echoes);
  request["logprobs"].Get(&task.top_logprobs, 0, kMaxLogprobs);
  options.logprobs = task.top_logprobs >= 0;
  task.prompt_logprobs = echoes && options.logprobs;
  ReadChoices(request["n"], &options.choices);
  int64_t best_of = static_cast<int64_t>(options.choices);
  request["best_of"].Get(&best_of, best_of, best_of);
  ReadStreaming(request, &options.stream, &options.include_usage);
  const std::vector<ListedPrompt> prompts = ReadPromptList(request["prompt"], model.tokenizer);
  options.prompts = prompts.size();
  if (prompts.size() * options.choices > kMaxTasks) {
    request["prompt"].Refuse(fmt::format("asks for {} answers, and {} are the most",
                                         prompts.size() * options.choices, kMaxTasks));
  }
  BITFETCH_RETURN_IF_ERROR(parsed.Check());

  BITFETCH_ASSIGN_OR_RETURN(task.constraint, FormatConstraint(model, format));
  CompletionRequest read;
  read.stream = options.stream;
  std::vector<EchoedPrompt> echoed;
  for (const ListedPrompt& prompt : prompts) {
    BITFETCH_ASSIGN_OR_RETURN(task.prompt, PromptIds(model, prompt));
    AddChoices(task, options.choices, &read.tasks);
    if (!request["seed"].given()) task.sampling.seed += options.choices;
    if (!echoes) continue;
    const std::string text = prompt.text ? *prompt.text : *model.tokenizer.Decode(task.prompt);
    echoed.push_back({ReplaceBrokenUtf8(text), task.prompt.front()});
  }
  read.reply = std::make_unique<CompletionReply>(model, std::move(options), std::move(echoed));
  return read;
}

}  // namespace bitfetch
