// SPDX-License-Identifier: Apache-2.0
#include "convert/hf_config.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "base/printable.h"

namespace bitfetch {
namespace {

using enum HfSize;

constexpr HfTensor kModelTensors[] = {
    {"model.embed_tokens", "token_embd", kVocab, kHidden},
    {"model.norm", "output_norm", kOne, kHidden},
    {kHfHead, "output", kVocab, kHidden},
};

// Transformers' modeling_llama.py.
constexpr HfTensor kLlamaLayer[] = {
    {"input_layernorm", "attn_norm", kOne, kHidden},
    {"self_attn.q_proj", "attn_q", kQuery, kHidden, /*pairs=*/true},
    {"self_attn.k_proj", "attn_k", kKeyValue, kHidden, /*pairs=*/true},
    {"self_attn.v_proj", "attn_v", kKeyValue, kHidden},
    {"self_attn.o_proj", "attn_output", kHidden, kQuery},
    {"post_attention_layernorm", "ffn_norm", kOne, kHidden},
    {"mlp.gate_proj", "ffn_gate", kFfn, kHidden},
    {"mlp.up_proj", "ffn_up", kFfn, kHidden},
    {"mlp.down_proj", "ffn_down", kHidden, kFfn},
};

// Transformers' modeling_bitnet.py.
constexpr HfTensor kBitNetLayer[] = {
    {"input_layernorm", "attn_norm", kOne, kHidden},
    {"self_attn.q_proj", "attn_q", kQuery, kHidden},
    {"self_attn.k_proj", "attn_k", kKeyValue, kHidden},
    {"self_attn.v_proj", "attn_v", kKeyValue, kHidden},
    {"self_attn.attn_sub_norm", "attn_sub_norm", kOne, kQuery},
    {"self_attn.o_proj", "attn_output", kHidden, kQuery},
    {"post_attention_layernorm", "ffn_norm", kOne, kHidden},
    {"mlp.gate_proj", "ffn_gate", kFfn, kHidden},
    {"mlp.up_proj", "ffn_up", kFfn, kHidden},
    {"mlp.ffn_sub_norm", "ffn_sub_norm", kOne, kFfn},
    {"mlp.down_proj", "ffn_down", kHidden, kFfn},
};

constexpr HfArchitecture kArchitectures[] = {
    {"BitNetForCausalLM", "bitnet-b1.58", "relu2", /*is_ternary=*/true, kBitNetLayer},
    {"LlamaForCausalLM", "llama", "silu", /*is_ternary=*/false, kLlamaLayer},
};

std::string Text(const JsonValue* value) {
  const auto* text = value == nullptr ? nullptr : value->As<std::string>();
  return text == nullptr ? std::string() : *text;
}

Result<const HfArchitecture*> ReadArchitectureName(const JsonValue& json) {
  const auto* list = json.Find<JsonValue::List>("architectures");
  if (list == nullptr || list->empty()) return Fail("names no architecture");
  const std::string name = Text(&list->front());
  std::string names;
  for (const HfArchitecture& known : kArchitectures) {
    if (known.hf == name) return &known;
    names += fmt::format("{}{}", names.empty() ? "" : ", ", known.hf);
  }
  return Fail("architecture '{}' can't be converted yet: only {}", Printable(name), names);
}

Result<int64_t> ReadSize(const JsonValue& json, std::string_view key, int64_t max,
                         std::optional<int64_t> fallback = std::nullopt) {
  const JsonValue* value = json.Find(key);
  if (value == nullptr && fallback) return *fallback;
  if (value == nullptr) return Fail("{} is missing", key);
  const auto* size = value->As<int64_t>();
  if (size != nullptr && *size >= 1 && *size <= max) return *size;
  return Fail("{} is no number from 1 to {}", key, max);
}

Result<double> ReadPositive(const JsonValue* json, std::string_view key, double fallback) {
  const JsonValue* value = json == nullptr ? nullptr : json->Find(key);
  if (value == nullptr) return fallback;
  const auto* whole = value->As<int64_t>();
  const auto* real = value->As<double>();
  const double number = whole ? static_cast<double>(*whole) : real ? *real : 0;
  if (number > 0 && std::isfinite(number)) return number;
  return Fail("{} is no positive number", key);
}

// The theta. Both spellings of transformers: 4's beside rope_theta, and 5's, in one object with it.
Result<double> ReadRope(const JsonValue& json) {
  const JsonValue* parameters = json.Find("rope_parameters");
  const JsonValue* scaling = parameters != nullptr ? parameters : json.Find("rope_scaling");
  BITFETCH_ASSIGN_OR_RETURN(double theta, ReadPositive(parameters, "rope_theta", 10000));
  BITFETCH_ASSIGN_OR_RETURN(theta, ReadPositive(&json, "rope_theta", theta));
  if (scaling == nullptr) return theta;
  std::string type = Text(scaling->Find("rope_type"));
  if (type.empty()) type = Text(scaling->Find("type"));
  if (type.empty() || type == "default") return theta;
  return Fail("RoPE scaling of type '{}' is not supported", Printable(type));
}

Status ReadQuantization(const JsonValue& json, HfConfig* config) {
  config->is_ternary = config->architecture->is_ternary;
  config->scale_divides = true;
  if (json.Find("quantization") != nullptr) {
    return Fail("the weights are quantised by MLX, which is not read yet");
  }
  const JsonValue* quantization = json.Find("quantization_config");
  if (quantization == nullptr) return {};
  const std::string method = Text(quantization->Find("quant_method"));
  if (method != "bitnet") {
    return Fail("the weights are quantised by '{}': only BitNet's are ternary", Printable(method));
  }
  if (const auto* dense = quantization->Find<JsonValue::List>("modules_to_not_convert")) {
    for (const JsonValue& module : *dense) {
      if (Text(&module) == kHfHead) continue;
      return Fail("quantization_config leaves '{}' as it is: only {} may be",
                  Printable(Text(&module)), kHfHead);
    }
  }
  config->is_ternary = true;
  config->scale_divides = Text(quantization->Find("linear_class")) != "autobitlinear";
  return {};
}

}  // namespace

std::span<const HfTensor> HfModelTensors() { return kModelTensors; }

int64_t HfConfig::Size(HfSize size) const {
  switch (size) {
    case kOne:
      return 1;
    case kHidden:
      return shape.hidden;
    case kFfn:
      return shape.ffn;
    case kQuery:
      return shape.heads * shape.head_dim;
    case kKeyValue:
      return shape.kv_heads * shape.head_dim;
    case kVocab:
      return shape.vocab;
  }
  return 0;
}

Result<HfConfig> ReadHfConfig(const JsonValue& json) {
  HfConfig config;
  ModelConfig& shape = config.shape;
  BITFETCH_ASSIGN_OR_RETURN(config.architecture, ReadArchitectureName(json));
  const auto size = [&](std::string_view key, int64_t max, int64_t* to,
                        std::optional<int64_t> fallback = std::nullopt) -> Status {
    BITFETCH_ASSIGN_OR_RETURN(*to, ReadSize(json, key, max, fallback));
    return {};
  };
  using Limits = ModelConfig;
  BITFETCH_RETURN_IF_ERROR(size("num_hidden_layers", Limits::kMaxLayers, &shape.layers));
  BITFETCH_RETURN_IF_ERROR(size("hidden_size", Limits::kMaxWidth, &shape.hidden));
  BITFETCH_RETURN_IF_ERROR(size("intermediate_size", Limits::kMaxWidth, &shape.ffn));
  BITFETCH_RETURN_IF_ERROR(size("num_attention_heads", Limits::kMaxHeads, &shape.heads));
  BITFETCH_RETURN_IF_ERROR(
      size("num_key_value_heads", Limits::kMaxHeads, &shape.kv_heads, shape.heads));
  BITFETCH_RETURN_IF_ERROR(size("vocab_size", Limits::kMaxVocab, &shape.vocab));
  BITFETCH_RETURN_IF_ERROR(size("max_position_embeddings", Limits::kMaxContext, &shape.context));
  if (json.Find("head_dim") == nullptr && shape.hidden % shape.heads != 0) {
    return Fail("a hidden_size of {} is no multiple of {} heads", shape.hidden, shape.heads);
  }
  BITFETCH_RETURN_IF_ERROR(
      size("head_dim", Limits::kMaxHeadDim, &shape.head_dim, shape.hidden / shape.heads));
  if (shape.heads % shape.kv_heads != 0) {
    return Fail("{} heads are no multiple of {} KV heads", shape.heads, shape.kv_heads);
  }
  if (shape.head_dim % Limits::kHeadDimStep != 0) {
    return Fail("heads of {} dimensions are not supported: wanted a multiple of {}", shape.head_dim,
                Limits::kHeadDimStep);
  }
  if (shape.heads * shape.head_dim > Limits::kMaxWidth) {
    return Fail("{} heads of {} dimensions are not supported: wanted at most {} together",
                shape.heads, shape.head_dim, Limits::kMaxWidth);
  }
  BITFETCH_ASSIGN_OR_RETURN(const double theta, ReadRope(json));
  BITFETCH_ASSIGN_OR_RETURN(const double epsilon, ReadPositive(&json, "rms_norm_eps", 1e-6));
  shape.rope_theta = static_cast<float>(theta);
  shape.rms_epsilon = static_cast<float>(epsilon);
  const std::string activation = Text(json.Find("hidden_act"));
  if (activation != config.architecture->activation) {
    return Fail("hidden_act is '{}': only {} is supported", Printable(activation),
                config.architecture->activation);
  }
  const auto* tied = json.Find<bool>("tie_word_embeddings");
  config.tied = tied != nullptr && *tied;
  BITFETCH_RETURN_IF_ERROR(ReadQuantization(json, &config));
  return config;
}

}  // namespace bitfetch
