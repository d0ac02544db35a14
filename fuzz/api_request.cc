// SPDX-License-Identifier: Apache-2.0
// Any bytes as the body of a request, the first of them saying to which endpoint: an error is the
// client's and one line; what is accepted can be run, and its answer is JSON.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/json_value.h"
#include "base/utf8.h"
#include "fuzz/check.h"
#include "serve/dialect/chat_completions.h"
#include "serve/dialect/completions.h"
#include "serve/dialect/embeddings.h"
#include "serve/dialect/messages.h"
#include "serve/dialect/model_info.h"
#include "serve/dialect/responses.h"
#include "serve/dialect/test_served_model.h"
#include "text/stop_strings.h"

namespace bitfetch {
namespace {

template <class T>
bool IsAccepted(const ApiResult<T>& result) {
  if (result) return true;
  const ApiError& error = result.error();
  FUZZ_CHECK(error.status == 400 && !error.message.empty() &&
             OneLine(error.message) == error.message);
  return false;
}

void CheckJson(std::string_view text) { FUZZ_CHECK(ParseJson(text, {.max_depth = 200})); }

// Every event is one line of JSON, or the word at the end.
void CheckStream(std::string_view events) {
  while (!events.empty()) {
    const size_t end = events.find("\n\n");
    FUZZ_CHECK(end != std::string_view::npos);
    std::string_view event = events.substr(0, end);
    events.remove_prefix(end + 2);
    if (event.starts_with("event: ")) event.remove_prefix(event.find('\n') + 1);
    FUZZ_CHECK(event.starts_with("data: ") && event.find('\n') == std::string_view::npos);
    event.remove_prefix(6);
    if (event != "[DONE]") CheckJson(event);
  }
}

// Runs a request as the scheduler would; the model says `text` in pieces.
void CheckRequest(const ServedModel& model, ApiResult<CompletionRequest> request,
                  std::string_view text) {
  if (!IsAccepted(request)) return;
  FUZZ_CHECK(!request->tasks.empty());
  std::string answer = request->reply->Begin();
  for (size_t i = 0; i < std::min<size_t>(request->tasks.size(), 3); ++i) {
    const CompletionTask& task = request->tasks[i];
    FUZZ_CHECK(!task.prompt.empty() && std::ssize(task.prompt) < model.context);
    FUZZ_CHECK(Sampler::Create(task.sampling) && StopStrings::Create(task.generate.stops));
    const TokenLogprob token = {.id = task.prompt[0], .logprob = -1, .top = {{262, -0.5f}}};
    if (task.prompt_logprobs) {
      answer += request->reply->OnPrompt(i, {task.prompt.size() - 1, token});
    }
    Utf8Stream characters;
    for (size_t at = 0; at < text.size(); at += 3) {
      CompletionPiece piece = {.text = characters.Feed(text.substr(at, 3))};
      if (task.top_logprobs >= 0) piece.logprobs = {token};
      answer += request->reply->OnPiece(i, std::move(piece));
    }
    answer += request->reply->OnEnd(i, {.reason = StopReason::kStopToken, .tokens = 3});
  }
  answer += request->reply->Finish();
  if (request->stream) {
    CheckStream(answer);
  } else {
    CheckJson(answer);
  }
}

void CheckAnswer(const ApiResult<std::string>& answer) {
  if (IsAccepted(answer)) CheckJson(*answer);
}

void Run(uint8_t endpoint, std::string_view body) {
  static const ServedModel model = TestServedModel();
  static const ServedModel embedder = [] {
    ServedModel embeds = TestServedModel();
    embeds.embeds = true;
    return embeds;
  }();
  switch (endpoint % 9) {
    case 0:
      return CheckRequest(model, ReadChatCompletion(model, body, kTestOrigin), body);
    case 1:
      return CheckRequest(model, ReadCompletion(model, body, kTestOrigin), body);
    case 2:
      return CheckRequest(model, ReadMessages(model, body, kTestOrigin), body);
    case 3:
      return CheckRequest(model, ReadResponse(model, body, kTestOrigin), body);
    case 4:
      return CheckAnswer(CountMessageTokens(model, body));
    case 5:
      return CheckAnswer(AnswerTokenize(model, body));
    case 6:
      return CheckAnswer(AnswerDetokenize(model, body));
    case 7:
      return CheckAnswer(AnswerApplyTemplate(model, body));
    default:
      break;
  }
  CheckRequest(embedder, ReadEmbeddings(embedder, body, kTestOrigin), body);
}

}  // namespace
}  // namespace bitfetch

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size > 0) bitfetch::Run(data[0], {reinterpret_cast<const char*>(data) + 1, size - 1});
  return 0;
}
