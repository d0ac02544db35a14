// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_CLI_TIMINGS_H_
#define BITFETCH_CLI_TIMINGS_H_

#include <cstdint>
#include <string>

#include "engine/generate.h"
#include "text/sampler.h"

namespace bitfetch {

// The closing line of a text or a conversation: how long its parts took.
class Timings {
 public:
  explicit Timings(double load_seconds) : load_seconds_(load_seconds) {}

  void Add(const Generated& answer);
  bool empty() const { return answers_ == 0; }

  // "load 0.02 s | prompt 5 tokens, 123.4 tokens/s | generated 128 tokens, 345.6 tokens/s | first
  // token after 0.06 s", of all answers together but the last, which is of the first one and counts
  // loading. Where KV came from a store, "prompt 500 tokens (496 of them kept from before)"; where
  // tokens are drawn, the seed too.
  std::string Line(const SamplerOptions& sampler) const;

 private:
  double load_seconds_;
  double first_token_seconds_ = 0;
  int64_t answers_ = 0;
  int64_t prompt_tokens_ = 0;
  int64_t stored_tokens_ = 0;  // of them
  double prompt_seconds_ = 0;
  int64_t tokens_ = 0;
  int64_t tokens_after_first_ = 0;  // those that generate_seconds_ were spent on
  double generate_seconds_ = 0;
};

}  // namespace bitfetch

#endif  // BITFETCH_CLI_TIMINGS_H_
