// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_MODEL_LAYER_PLAN_H_
#define BITFETCH_MODEL_LAYER_PLAN_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "kernels/kernels.h"
#include "model/arch/architecture.h"
#include "model/model_config.h"
#include "model/ternary_codes.h"

namespace bitfetch {

// Ternary weights [rows][cols], with one scale or with one for each group of columns.
using WeightMatrix = std::variant<TernaryMatrix, TernaryGroups>;

// A weight matrix, and the norm before it.
struct Projection {
  WeightMatrix weights;
  std::vector<float> norm;  // [cols] RMSNorm of the input, of this projection alone; empty: none
};

// A layer as data: what the forward pass computes in it. A norm that is empty is left out.
struct LayerPlan {
  std::vector<float> attn_norm;       // [hidden]
  Projection attn_q;                  // [heads * head_dim][hidden]
  Projection attn_k;                  // [kv_heads * head_dim][hidden]
  Projection attn_v;                  // the same
  std::vector<float> q_norm;          // [head_dim] of each head before RoPE
  std::vector<float> k_norm;          // the same
  Projection attn_output;             // [hidden][heads * head_dim]
  std::vector<float> post_attn_norm;  // [hidden] of what attention adds to the residual stream
  std::vector<float> ffn_norm;        // [hidden]
  Projection ffn_gate;                // [ffn][hidden]
  Projection ffn_up;                  // the same
  Projection ffn_down;                // [hidden][ffn]
  std::vector<float> post_ffn_norm;   // [hidden] of what the feed-forward part adds
  Activation activation = Activation::kSilu;
  size_t rope = 0;  // which of Model::ropes turns queries and keys

  std::array<const Projection*, 7> projections() const {
    return {&attn_q, &attn_k, &attn_v, &attn_output, &ffn_gate, &ffn_up, &ffn_down};
  }
};

// A tensor of a layer: its names in files (as TensorName has them), its shape, and the place in the
// plan for what is read from it: one of the two.
struct LayerTensor {
  std::string name;     // GGUF's
  std::string hf_name;  // Hugging Face's
  int64_t cols = 0;
  int64_t rows = 1;
  std::vector<float>* norm = nullptr;  // [cols]
  WeightMatrix* matrix = nullptr;      // [rows][cols]
};

// Every tensor of a layer; the norm of a projection follows its weights.
std::vector<LayerTensor> LayerTensors(const ModelConfig& config, LayerPlan& plan);

}  // namespace bitfetch

#endif  // BITFETCH_MODEL_LAYER_PLAN_H_
