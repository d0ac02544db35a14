// SPDX-License-Identifier: Apache-2.0
#include "model/arch/architecture.h"

namespace bitfetch {

// BitNet b1.58 as 1bitLLM trained it: BitNet's norms, with SiLU.
constexpr Architecture kBitNet1BitLlm = {
    .name = "bitnet",
    .rope_form = RopeForm::kHalfSplit,
    .activation = Activation::kSilu,
    .layer = {.attn_output = {"attn_output", "attn_sub_norm"},
              .ffn_down = {"ffn_down", "ffn_sub_norm"}},
};

}  // namespace bitfetch
