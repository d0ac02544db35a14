// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_SERVE_SCHEDULE_COMPLETION_H_
#define BITFETCH_SERVE_SCHEDULE_COMPLETION_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "engine/generate.h"
#include "text/constraint/constraint.h"
#include "text/sampler.h"

// What the dialects ask of the scheduler, and what they hear from it.
namespace bitfetch {

// One text that a model is to go on with. A request has one for each of its choices.
struct CompletionTask {
  std::vector<int> prompt;  // at least one token, and fewer than the context has
  SamplerOptions sampling = kUsualSampling;
  GenerateOptions generate = {};
  // How many of the likeliest tokens are told at each place, beside the one that was drawn; -1: no
  // probabilities at all. For the tokens of the prompt too, if asked for.
  int top_logprobs = -1;
  bool prompt_logprobs = false;
  // What the answer must be, if anything. It ends where the constraint says that nothing follows.
  std::shared_ptr<const Constraint> constraint = {};
  bool embeds = false;      // no answer: what the prompt's last token leads to (Embedding)
  std::string salt = {};    // only requests with the same one share KV (Engine::NewSequence)
  std::string client = {};  // among whom turns are shared evenly
};

struct TokenLogprob {
  int id;
  float logprob;                       // natural logarithm, at temperature 1, before penalties
  std::vector<TokenLogprob> top = {};  // the likeliest first
};

// A step of an answer: whole characters, nothing of a stop string.
struct CompletionPiece {
  std::string text;  // may be empty: characters and stop strings are held back
  // Of the tokens since the last piece, a stop token included, if asked for.
  std::vector<TokenLogprob> logprobs = {};
};

struct CompletionEnd {
  Status status = {};  // why there is no more; what came before stands
  StopReason reason = StopReason::kTokens;
  std::string stop_string = {};  // that was found, if one was
  int64_t prompt_tokens = 0;
  int64_t cached_tokens = 0;          // of them, those whose KV was there
  int64_t tokens = 0;                 // generated, a stop token included
  std::vector<float> embedding = {};  // if asked for, [hidden]
  double queue_seconds = 0;
  double prompt_seconds = 0;    // until the first token was known, or the end where there is none
  double generate_seconds = 0;  // for all tokens after the first
};

// Hears how a task goes, on the thread of the engine, which waits meanwhile: to be handed on at
// once. First the prompt's probabilities, if asked for; then pieces; one end, after which nothing
// comes.
class CompletionListener {
 public:
  virtual ~CompletionListener() = default;
  // [prompt tokens - 1]: of each but the first, which nothing comes before.
  virtual void OnPrompt(std::vector<TokenLogprob> logprobs) = 0;
  virtual void OnPiece(CompletionPiece piece) = 0;
  virtual void OnEnd(CompletionEnd end) = 0;
};

}  // namespace bitfetch

#endif  // BITFETCH_SERVE_SCHEDULE_COMPLETION_H_
