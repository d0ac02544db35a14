// SPDX-License-Identifier: Apache-2.0
#include "engine/generate.h"

#include <algorithm>

#include "machine/clock.h"
#include "text/answer_text.h"

namespace bitfetch {
Result<Generated> Generate(Session& session, const Tokenizer& tokenizer, Sampler& sampler,
                           std::span<const int> prompt, const GenerateOptions& options,
                           const std::function<bool(std::string_view)>& on_text,
                           const Progress& on_prompt, const std::atomic<bool>& interrupted) {
  if (prompt.empty() && session.length() == 0) {
    return Fail("the prompt is empty, and the model has no token to begin a text with");
  }
  BITFETCH_ASSIGN_OR_RETURN(StopStrings stops, StopStrings::Create(options.stops));
  AnswerText out(std::move(stops));
  bool go_on = true;
  const auto show = [&](const std::string& text) {
    if (go_on && !text.empty()) go_on = on_text(text);
  };
  const std::vector<int> stop_tokens = tokenizer.StopTokens();

  Generated result;
  result.prompt_tokens = static_cast<int64_t>(prompt.size());
  const Stopwatch prompt_time;
  BITFETCH_ASSIGN_OR_RETURN(const bool appended, session.Append(prompt, on_prompt, &interrupted));
  result.prompt_seconds = prompt_time.Seconds();
  if (!appended) {
    result.reason = StopReason::kInterrupted;
    return result;
  }

  Stopwatch generate_time;
  while (true) {
    if (interrupted) {
      result.reason = StopReason::kInterrupted;
      break;
    }
    if (result.tokens == options.max_tokens) {
      result.reason = StopReason::kTokens;
      break;
    }
    if (!result.tail.empty()) {
      if (session.length() == session.context()) {
        result.reason = StopReason::kContextFull;
        break;
      }
      BITFETCH_RETURN_IF_ERROR(session.Append(result.tail));
      result.tail.clear();
    }
    BITFETCH_ASSIGN_OR_RETURN(const auto logits, session.Logits(sampler.Wanted(session.tokens())));
    const int token = sampler.Sample(logits, session.tokens());
    result.tail = {token};
    if (++result.tokens == 1) {
      result.prompt_seconds = prompt_time.Seconds();
      generate_time = Stopwatch();
      session.ResetProfile();
    }
    if (std::binary_search(stop_tokens.begin(), stop_tokens.end(), token)) {
      result.reason = StopReason::kStopToken;
      break;
    }
    show(out.Feed(tokenizer.TokenBytes(token)));
    if (!out.stop().empty()) {
      result.reason = StopReason::kStopString;
      break;
    }
    if (!go_on) {
      result.reason = StopReason::kInterrupted;
      break;
    }
  }
  show(out.Finish());
  result.generate_seconds = generate_time.Seconds();
  return result;
}

}  // namespace bitfetch
