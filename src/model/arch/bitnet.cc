// SPDX-License-Identifier: Apache-2.0
#include "model/arch/architecture.h"

namespace bitfetch {

// BitNet b1.58 2B4T (Microsoft): norms before the two projections whose input no norm precedes.
constexpr Architecture kBitNet = {
    .name = "bitnet-b1.58",
    .older_name = "bitnet-25",
    .rope_form = RopeForm::kHalfSplit,
    .activation = Activation::kSquaredRelu,
    .layer = {.attn_sub_norm = {"attn_sub_norm", "self_attn.attn_sub_norm"},
              .ffn_sub_norm = {"ffn_sub_norm", "mlp.ffn_sub_norm"}},
    .hf_classes = {"BitNetForCausalLM"},
    .hf_is_ternary = true,
};

}  // namespace bitfetch
