// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_MODEL_MODEL_CONFIG_EFFECTS_H_
#define BITFETCH_MODEL_MODEL_CONFIG_EFFECTS_H_

#include <cstdint>
#include <string_view>

#include "base/error.h"
#include "model/gguf_reader.h"
#include "model/model_config.h"

namespace bitfetch {

// Metadata keys that change what a model of this kind computes, in ways that the forward pass does
// not know, may only stand with a value that changes nothing: a soft cap of 0, a logit scale of 1.
// The error names the key, its value, and what would do.
Status CheckEffects(const GgufReader& gguf, std::string_view architecture,
                    const ModelConfig& config);

// The same of what changes results in a context of so many tokens alone: one that is longer than
// `attention.sliding_window`, of which the forward pass does not know, is an error.
Status CheckContext(const GgufReader& gguf, int64_t context);

}  // namespace bitfetch

#endif  // BITFETCH_MODEL_MODEL_CONFIG_EFFECTS_H_
