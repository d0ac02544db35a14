// SPDX-License-Identifier: Apache-2.0
#include "model/arch/architecture.h"

namespace bitfetch {

// Gemma 3: BitNet embeddings 270M, with input norms and without windows.
constexpr Architecture kGemma3 = {
    .name = "gemma3",
    .rope_form = RopeForm::kHalfSplit,
    .activation = Activation::kGelu,
    .layer = {.q_norm = {"attn_q_norm", "self_attn.q_norm"},
              .k_norm = {"attn_k_norm", "self_attn.k_norm"},
              .post_attn_norm = {"post_attention_norm", "post_attention_layernorm"},
              .ffn_norm = {"ffn_norm", "pre_feedforward_layernorm"},
              .post_ffn_norm = {"post_ffw_norm", "post_feedforward_layernorm"}},
    .scales_embedding = true,
    .may_have_input_norms = true,
    .window_period = 6,
    .window_rope_theta = 10000,
    .hf_classes = {"Gemma3ForCausalLM", "Gemma3TextModel"},
    .hf_norms_less_one = true,
};

}  // namespace bitfetch
