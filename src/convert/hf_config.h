// SPDX-License-Identifier: Apache-2.0
// What config.json of a Hugging Face folder says of a model, in the terms of GGUF.
#ifndef BITFETCH_CONVERT_HF_CONFIG_H_
#define BITFETCH_CONVERT_HF_CONFIG_H_

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/json_value.h"
#include "model/model_config.h"

namespace bitfetch {

// The sizes that shapes are made of.
enum class HfSize { kOne, kHidden, kFfn, kQuery, kKeyValue, kVocab };

// A tensor under both its names, each of which ends in ".weight" in its file; those of layers stand
// after "model.layers.7." and "blk.7.". A vector (rows of kOne) is written as F32, a matrix of a
// layer as ternary, any other as F16.
struct HfTensor {
  std::string_view hf;
  std::string_view gguf;
  HfSize rows;
  HfSize cols;
  // Within each head Hugging Face has the elements that RoPE turns together half a head apart. Here
  // they are to be neighbours.
  bool pairs = false;
};

// An architecture is a row of a table (hf_config.cc).
struct HfArchitecture {
  std::string_view hf;          // as config.json has it: "LlamaForCausalLM"
  std::string_view gguf;        // general.architecture
  std::string_view activation;  // the only hidden_act that the architecture has here
  bool is_ternary;              // whatever else config.json says
  std::span<const HfTensor> layer;
};

// Outside of layers, the same in all architectures. Without an lm_head the embedding is it too.
std::span<const HfTensor> HfModelTensors();
inline constexpr std::string_view kHfHead = "lm_head";

struct HfConfig {
  const HfArchitecture* architecture;
  ModelConfig shape;  // but for its architecture and name
  bool tied;          // the embedding is the output head, whatever the files hold
  // That of quantization_config: the model was trained with ternary weights, though the files may
  // hold what those are rounded from; and `weight_scale` divides, as the class BitLinear has it,
  // where otherwise (AutoBitLinear) it multiplies.
  // Source: transformers, integrations/bitnet.py.
  bool is_ternary;
  bool scale_divides;

  int64_t Size(HfSize size) const;
};

// Errors, as what follows the file's name: an architecture that is not in the table, sizes that are
// missing or impossible, RoPE scaling, another activation, another quantisation than BitNet's.
Result<HfConfig> ReadHfConfig(const JsonValue& json);

}  // namespace bitfetch

#endif  // BITFETCH_CONVERT_HF_CONFIG_H_
