// SPDX-License-Identifier: Apache-2.0
#include "cli/timings.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

namespace bitfetch {
namespace {

std::string TokensAndRate(std::string_view what, int64_t tokens, int64_t timed, double seconds,
                          int64_t stored = 0) {
  std::string text = fmt::format("{} {} token{}", what, tokens, tokens == 1 ? "" : "s");
  if (stored > 0) text += fmt::format(" ({} of them kept from before)", stored);
  if (timed > 0 && seconds > 0) {
    text += fmt::format(", {:.1f} tokens/s", static_cast<double>(timed) / seconds);
  }
  return text;
}

}  // namespace

void Timings::Add(const Generated& answer) {
  if (answers_++ == 0) first_token_seconds_ = load_seconds_ + answer.prompt_seconds;
  prompt_tokens_ += answer.prompt_tokens;
  stored_tokens_ += answer.stored_tokens;
  prompt_seconds_ += answer.prompt_seconds;
  tokens_ += answer.tokens;
  tokens_after_first_ += std::max<int64_t>(answer.tokens - 1, 0);
  generate_seconds_ += answer.generate_seconds;
}

std::string Timings::Line(const SamplerOptions& sampler) const {
  std::string line = fmt::format(
      "load {:.2f} s | {} | {} | first token after {:.2f} s", load_seconds_,
      TokensAndRate("prompt", prompt_tokens_, prompt_tokens_, prompt_seconds_, stored_tokens_),
      TokensAndRate("generated", tokens_, tokens_after_first_, generate_seconds_),
      first_token_seconds_);
  if (sampler.temperature > 0) line += fmt::format(" | seed {}", sampler.seed);
  return line + "\n";
}

}  // namespace bitfetch
