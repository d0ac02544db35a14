// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_API_SAMPLING_H_
#define BITFETCH_API_SAMPLING_H_

#include <optional>

#include "bitfetch/bitfetch.h"
#include "text/sampler.h"

namespace bitfetch {

// What the caller's `sampling` says, or the defaults where it is null, and a sampler that does it.
bitfetch_status ReadSampling(const bitfetch_sampling* sampling, bitfetch_sampling* wanted,
                             std::optional<Sampler>* sampler);

}  // namespace bitfetch

#endif  // BITFETCH_API_SAMPLING_H_
