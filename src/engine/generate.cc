// SPDX-License-Identifier: Apache-2.0
#include "engine/generate.h"

#include <algorithm>
#include <chrono>

#include "text/stop_strings.h"
#include "base/utf8.h"

namespace bitfetch {
namespace {

class Stopwatch {
 public:
  double Seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

// From the bytes of tokens to text that may be shown.
class TextOut {
 public:
  TextOut(StopStrings stops, const std::function<bool(std::string_view)>& on_text)
      : stops_(std::move(stops)), on_text_(on_text) {}

  // Whether to go on.
  bool Put(std::string_view bytes) { return Show(stops_.Feed(characters_.Feed(bytes))); }
  void Finish() {
    std::string rest = stops_.Feed(characters_.Finish());
    if (!stops_.stopped()) rest += stops_.Finish();
    Show(rest);
  }
  bool stopped() const { return stops_.stopped(); }

 private:
  bool Show(const std::string& text) {
    if (go_on_ && !text.empty()) go_on_ = on_text_(text);
    return go_on_;
  }

  Utf8Stream characters_;
  StopStrings stops_;
  const std::function<bool(std::string_view)>& on_text_;
  bool go_on_ = true;
};

}  // namespace

Result<Generated> Generate(Session& session, const Tokenizer& tokenizer, Sampler& sampler,
                           std::span<const int> prompt, const GenerateOptions& options,
                           const std::function<bool(std::string_view)>& on_text,
                           const Progress& on_prompt, const std::atomic<bool>& interrupted) {
  if (prompt.empty() && session.length() == 0) {
    return Fail("the prompt is empty, and the model has no token to begin a text with");
  }
  BITFETCH_ASSIGN_OR_RETURN(StopStrings stops, StopStrings::Create(options.stops));
  TextOut out(std::move(stops), on_text);
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
    const bool go_on = out.Put(tokenizer.TokenBytes(token));
    if (out.stopped()) {
      result.reason = StopReason::kStopString;
      break;
    }
    if (!go_on) {
      result.reason = StopReason::kInterrupted;
      break;
    }
  }
  out.Finish();
  result.generate_seconds = generate_time.Seconds();
  return result;
}

}  // namespace bitfetch
