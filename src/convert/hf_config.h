// SPDX-License-Identifier: Apache-2.0
// What config.json of a Hugging Face folder says of a model, in the terms of GGUF.
#ifndef BITFETCH_CONVERT_HF_CONFIG_H_
#define BITFETCH_CONVERT_HF_CONFIG_H_

#include <cstdint>

#include "base/error.h"
#include "base/json_value.h"
#include "model/model_config.h"

namespace bitfetch {

struct HfConfig {
  // But for the name, and for input_norms: only the tensors tell.
  ModelConfig shape;
  // The embedding is the output head, whatever the files hold.
  bool tied = false;
  // That of quantization_config: the model was trained with ternary weights, though the files may
  // hold what those are rounded from; and `weight_scale` divides, as the class BitLinear has it,
  // where otherwise (AutoBitLinear) it multiplies.
  // Source: transformers, integrations/bitnet.py.
  bool is_ternary = false;
  bool scale_divides = true;
  // Of weights that MLX quantised to two bits: columns that share a scale. 0: it did not.
  int64_t mlx_group = 0;
};

// Errors, as what follows the file's name: an architecture that none of model/arch is, sizes that
// are missing or impossible, RoPE scaling other than YaRN, another activation, whatever else the
// forward pass does not compute, a quantisation that is not ternary.
Result<HfConfig> ReadHfConfig(const JsonValue& json);

}  // namespace bitfetch

#endif  // BITFETCH_CONVERT_HF_CONFIG_H_
