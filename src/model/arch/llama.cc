// SPDX-License-Identifier: Apache-2.0
#include "model/arch/architecture.h"

namespace bitfetch {

// Llama with ternary weights: Falcon3-1.58bit, Falcon-E, Llama3-8B-1.58.
constexpr Architecture kLlama = {
    .name = "llama",
    .rope_form = RopeForm::kAdjacentPairs,
    .activation = Activation::kSilu,
    .hf_classes = {"LlamaForCausalLM"},
};

}  // namespace bitfetch
