// SPDX-License-Identifier: Apache-2.0
#include "model/layer_plan.h"

#include <fmt/format.h>

namespace bitfetch {

std::vector<LayerTensor> LayerTensors(const ModelConfig& config, LayerPlan& plan) {
  std::vector<LayerTensor> tensors;
  const auto norm = [&](const TensorName& name, int64_t size, std::vector<float>& place) {
    if (name.gguf.empty()) return;
    tensors.push_back({.name = std::string(name.gguf),
                       .hf_name = std::string(name.hf),
                       .cols = size,
                       .norm = &place});
  };
  const auto projection = [&](const TensorName& name, int64_t cols, int64_t rows, Projection& place,
                              const TensorName& norm_name = {}) {
    tensors.push_back({.name = std::string(name.gguf),
                       .hf_name = std::string(name.hf),
                       .cols = cols,
                       .rows = rows,
                       .matrix = &place.weights});
    if (!config.input_norms) return norm(norm_name, cols, place.norm);
    tensors.push_back({.name = fmt::format("{}_norm_in", name.gguf),
                       .hf_name = fmt::format("{}.norm", name.hf),
                       .cols = cols,
                       .norm = &place.norm});
  };

  const LayerNames& names = config.architecture->layer;
  const int64_t hidden = config.hidden, ffn = config.ffn;
  const int64_t query = config.heads * config.head_dim;
  const int64_t kv = config.kv_heads * config.head_dim;
  norm(names.attn_norm, hidden, plan.attn_norm);
  projection(names.attn_q, hidden, query, plan.attn_q);
  projection(names.attn_k, hidden, kv, plan.attn_k);
  projection(names.attn_v, hidden, kv, plan.attn_v);
  norm(names.q_norm, config.head_dim, plan.q_norm);
  norm(names.k_norm, config.head_dim, plan.k_norm);
  projection(names.attn_output, query, hidden, plan.attn_output, names.attn_sub_norm);
  norm(names.post_attn_norm, hidden, plan.post_attn_norm);
  norm(names.ffn_norm, hidden, plan.ffn_norm);
  projection(names.ffn_gate, hidden, ffn, plan.ffn_gate);
  projection(names.ffn_up, hidden, ffn, plan.ffn_up);
  projection(names.ffn_down, ffn, hidden, plan.ffn_down, names.ffn_sub_norm);
  norm(names.post_ffn_norm, hidden, plan.post_ffn_norm);
  return tensors;
}

}  // namespace bitfetch
