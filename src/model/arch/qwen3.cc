// SPDX-License-Identifier: Apache-2.0
#include "model/arch/architecture.h"

namespace bitfetch {

// Qwen3, dense: Ternary-Bonsai, and BitNet embeddings 0.6B with input norms.
constexpr Architecture kQwen3 = {
    .name = "qwen3",
    .rope_form = RopeForm::kHalfSplit,
    .activation = Activation::kSilu,
    .layer = {.q_norm = {"attn_q_norm", "self_attn.q_norm"},
              .k_norm = {"attn_k_norm", "self_attn.k_norm"}},
    .may_have_input_norms = true,
    .hf_classes = {"Qwen3ForCausalLM", "Qwen3Model"},
};

}  // namespace bitfetch
