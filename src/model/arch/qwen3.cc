// SPDX-License-Identifier: Apache-2.0
#include "model/arch/architecture.h"

namespace bitfetch {

// Qwen3, dense: Ternary-Bonsai.
constexpr Architecture kQwen3 = {
    .name = "qwen3",
    .rope_form = RopeForm::kHalfSplit,
    .activation = Activation::kSilu,
    .layer = {.q_norm = "attn_q_norm", .k_norm = "attn_k_norm"},
};

}  // namespace bitfetch
