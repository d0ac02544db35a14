// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_ENGINE_GENERATE_H_
#define BITFETCH_ENGINE_GENERATE_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "engine/continuation.h"
#include "engine/session.h"
#include "text/sampler.h"
#include "text/tokenizer.h"

namespace bitfetch {

struct GenerateOptions {
  int64_t max_tokens = -1;              // -1: until the model stops
  std::vector<std::string> stops = {};  // texts that end the answer; they are not part of it
  int draft = kDraftAuto;               // how many tokens are guessed ahead (Drafter)
};

enum class StopReason { kTokens, kStopToken, kStopString, kContextFull, kInterrupted };

struct Generated {
  StopReason reason = StopReason::kTokens;
  int64_t prompt_tokens = 0;
  int64_t stored_tokens = 0;    // of them, whose KV came from a store
  int64_t tokens = 0;           // generated, a stop token included
  double prompt_seconds = 0;    // for the prompt, until the first token was known
  double generate_seconds = 0;  // for all tokens after the first
  StageProfile profile;         // of that time
  DraftCounts draft;
  std::vector<int> tail;  // generated, but not in the session: what a next prompt must begin with
};

// Appends `prompt` to the session and lets the model go on. `on_text` gets the text as it is made,
// whole characters only, and says whether to go on (false: as if interrupted). `interrupted` is
// looked at after every token. Whether tokens are guessed ahead changes nothing but the time that
// it takes. Errors: those of Session::Append; an empty prompt in an empty session.
Result<Generated> Generate(Session& session, const Tokenizer& tokenizer, Sampler& sampler,
                           std::span<const int> prompt, const GenerateOptions& options,
                           const std::function<bool(std::string_view)>& on_text,
                           const Progress& on_prompt, const std::atomic<bool>& interrupted);

}  // namespace bitfetch

#endif  // BITFETCH_ENGINE_GENERATE_H_
