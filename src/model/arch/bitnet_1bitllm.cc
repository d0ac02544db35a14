// SPDX-License-Identifier: Apache-2.0
#include "model/arch/architecture.h"

namespace bitfetch {

// BitNet b1.58 as 1bitLLM trained it: BitNet's norms, with SiLU.
constexpr Architecture kBitNet1BitLlm = {
    .name = "bitnet",
    .rope_form = RopeForm::kHalfSplit,
    .activation = Activation::kSilu,
    .layer = {.attn_sub_norm = {"attn_sub_norm", "self_attn.inner_attn_ln"},
              .ffn_sub_norm = {"ffn_sub_norm", "mlp.ffn_layernorm"}},
    .hf_classes = {"BitnetForCausalLM"},
    .hf_is_ternary = true,
};

}  // namespace bitfetch
