// SPDX-License-Identifier: Apache-2.0
#include "convert/write_model_config.h"

#include <fmt/format.h>

#include <cstdint>
#include <string>

namespace bitfetch {

void WriteModelConfig(std::string_view architecture, const ModelConfig& config,
                      GgufWriter& writer) {
  const auto key = [&](std::string_view suffix) {
    return fmt::format("{}.{}", architecture, suffix);
  };
  const auto add = [&](std::string_view suffix, int64_t value) {
    writer.Add<uint32_t>(key(suffix), static_cast<uint32_t>(value));
  };
  writer.Add<std::string_view>("general.architecture", architecture);
  writer.Add<std::string>("general.name", config.name);
  add("vocab_size", config.vocab);
  add("context_length", config.context);
  add("embedding_length", config.hidden);
  add("block_count", config.layers);
  add("feed_forward_length", config.ffn);
  add("rope.dimension_count", config.head_dim);
  add("attention.head_count", config.heads);
  add("attention.head_count_kv", config.kv_heads);
  add("attention.key_length", config.head_dim);
  add("attention.value_length", config.head_dim);
  writer.Add<float>(key("attention.layer_norm_rms_epsilon"), config.rms_epsilon);
  writer.Add<float>(key("rope.freq_base"), config.rope_theta);
  if (config.window_period != 0) {
    add("attention.sliding_window", config.window);
    add("attention.sliding_window_pattern", config.window_period);
    writer.Add<float>(key("rope.freq_base_swa"), config.window_rope_theta);
  }
  if (config.yarn.factor == 1) return;
  writer.Add<std::string_view>(key("rope.scaling.type"), "yarn");
  writer.Add<float>(key("rope.scaling.factor"), static_cast<float>(config.yarn.factor));
  add("rope.scaling.original_context_length", config.yarn.original_context);
}

}  // namespace bitfetch
