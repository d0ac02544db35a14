// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_CLI_SAMPLING_OPTIONS_H_
#define BITFETCH_CLI_SAMPLING_OPTIONS_H_

#include <optional>
#include <string>
#include <vector>

#include "cli/command.h"
#include "engine/generate.h"
#include "text/sampler.h"

namespace bitfetch {

// How an answer is made of probabilities, and where it ends.
struct SamplingOptions {
  SamplerOptions sampler = kUsualSampling;
  std::optional<uint64_t> seed;  // none: another one in each run
  GenerateOptions generate;
};

// -n, --temp, --top-k, --top-p, --min-p, --repeat-penalty, --seed, --draft, --stop.
void AddSamplingOptions(Command& command, SamplingOptions* options);

// The options with a seed, drawn from the system's randomness if none was given: small enough to be
// typed again.
SamplerOptions SamplerWithSeed(const SamplingOptions& options);

// What to tell a user about the end, if it is not the usual one; else empty.
std::string UnusualEnd(const Generated& generated, int64_t context);

}  // namespace bitfetch

#endif  // BITFETCH_CLI_SAMPLING_OPTIONS_H_
