// SPDX-License-Identifier: Apache-2.0
#include "engine/generate.h"

#include <algorithm>
#include <limits>

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
  const auto show = [&](const std::string& piece) {
    if (go_on && !piece.empty()) go_on = on_text(piece);
  };
  const std::vector<int> stop_tokens = tokenizer.StopTokens();

  Generated result;
  result.prompt_tokens = static_cast<int64_t>(prompt.size());
  const Stopwatch prompt_time;
  const auto stored = [&] {
    const auto stats = session.engine().store_stats();
    return stats ? stats->hit_tokens : 0;
  };
  const int64_t stored_before = stored();
  BITFETCH_ASSIGN_OR_RETURN(const bool appended, session.Append(prompt, on_prompt, &interrupted));
  result.prompt_seconds = prompt_time.Seconds();
  result.stored_tokens = stored() - stored_before;
  if (!appended) {
    result.reason = StopReason::kInterrupted;
    return result;
  }

  Continuation text(session.engine(), session.sequence(), options.draft,
                    [&](std::span<const int> tokens) { return sampler.Wanted(tokens); });
  const int64_t max_tokens =
      options.max_tokens < 0 ? std::numeric_limits<int64_t>::max() : options.max_tokens;
  Stopwatch generate_time;
  while (true) {
    if (interrupted) {
      result.reason = StopReason::kInterrupted;
      break;
    }
    if (result.tokens == max_tokens) {
      result.reason = StopReason::kTokens;
      break;
    }
    if (!result.tail.empty()) {
      if (session.length() == session.context()) {
        result.reason = StopReason::kContextFull;
        break;
      }
      BITFETCH_RETURN_IF_ERROR(text.Append(result.tail[0], max_tokens - result.tokens - 1));
      result.tail.clear();
    }
    BITFETCH_ASSIGN_OR_RETURN(const auto logits, text.Logits());
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
  result.draft = text.counts();
  result.generate_seconds = generate_time.Seconds();
  result.profile = session.profile();
  return result;
}

}  // namespace bitfetch
