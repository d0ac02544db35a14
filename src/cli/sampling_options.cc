// SPDX-License-Identifier: Apache-2.0
#include "cli/sampling_options.h"

#include <random>

#include "base/utf8.h"

namespace bitfetch {
namespace {

auto Number(double min, double max) {
  return [min, max](std::string_view text) { return ParseNumber(text, min, max); };
}

Result<double> ParseAboveZero(std::string_view text, double max) {
  BITFETCH_ASSIGN_OR_RETURN(const double value, ParseNumber(text, 0, max));
  if (value > 0) return value;
  return Fail("{} is out of range: wanted above 0, to {}", text, max);
}

Result<std::string> ParseStop(std::string_view text) {
  if (text.empty()) return Fail("an empty text would stop at once");
  if (!IsUtf8(text)) return Fail("the text is not UTF-8");
  return std::string(text);
}

}  // namespace

void AddSamplingOptions(Command& command, SamplingOptions* options) {
  SamplerOptions& sampler = options->sampler;
  command.AddParsed(
      "-n,--tokens", "N",
      "write so many tokens at most; -1: until the model stops or the context is full "
      "(default)",
      &options->generate.max_tokens, Integer<int64_t>(-1, INT32_MAX));
  command.AddParsed(
      "--temp", "X",
      "temperature: higher makes the text more random, 0 always takes the likeliest token "
      "(default: 0.8)",
      &sampler.temperature, Number(0, 1000));
  command.AddParsed("--top-k", "N",
                    "choose among the N likeliest tokens only; 0: among all (default: 40)",
                    &sampler.top_k, Integer<int>(0));
  command.AddParsed(
      "--top-p", "P",
      "choose among the likeliest tokens whose probabilities add up to P (default: 0.95)",
      &sampler.top_p, [](std::string_view text) { return ParseAboveZero(text, 1); });
  command.AddParsed("--min-p", "P",
                    "leave out tokens less likely than P times the likeliest (default: 0.05)",
                    &sampler.min_p, Number(0, 1));
  command.AddParsed("--repeat-penalty", "X",
                    "make the last 64 tokens less likely by this factor; 1: no penalty (default)",
                    &sampler.repeat_penalty,
                    [](std::string_view text) { return ParseAboveZero(text, 1000); });
  command.AddParsed("--seed", "N",
                    "seed of the random choice: the same seed gives the same text; -1: a new one "
                    "each time, named "
                    "in the last line (default)",
                    &options->seed, [](std::string_view text) -> Result<std::optional<uint64_t>> {
                      BITFETCH_ASSIGN_OR_RETURN(const int64_t seed,
                                                ParseInteger(text, -1, INT64_MAX));
                      if (seed == -1) return std::nullopt;
                      return static_cast<uint64_t>(seed);
                    });
  command.AddParsed(
      "--draft", "HOW",
      "how many tokens are guessed ahead from what the text repeats, to be computed in one pass: "
      "auto (as many as pay; default), off, or so many each time. It changes speed, never the text",
      &options->generate.draft, ParseDraft);
  command
      .AddOption("--stop", "TEXT",
                 "stop where the model writes this text, which is not shown; may be given several "
                 "times",
                 [stops = &options->generate.stops](const std::string& text) -> Status {
                   BITFETCH_ASSIGN_OR_RETURN(std::string stop, ParseStop(text));
                   stops->push_back(std::move(stop));
                   return {};
                 })
      .Repeatable();
}

SamplerOptions SamplerWithSeed(const SamplingOptions& options) {
  SamplerOptions sampler = options.sampler;
  sampler.seed = options.seed ? *options.seed : std::random_device()();
  return sampler;
}

std::string UnusualEnd(const Generated& generated, int64_t context) {
  if (generated.reason != StopReason::kContextFull) return "";
  return fmt::format("the context of {} tokens is full", context);
}

}  // namespace bitfetch
