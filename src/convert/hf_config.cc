// SPDX-License-Identifier: Apache-2.0
#include "convert/hf_config.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <string_view>

#include "base/printable.h"

namespace bitfetch {
namespace {

std::string Text(const JsonValue* value) {
  const auto* text = value == nullptr ? nullptr : value->As<std::string>();
  return text == nullptr ? std::string() : *text;
}

Result<const Architecture*> ReadArchitectureName(const JsonValue& json) {
  const auto* list = json.Find<JsonValue::List>("architectures");
  if (list == nullptr || list->empty()) return Fail("names no architecture");
  const std::string name = Text(&list->front());
  std::string names;
  for (const Architecture* known : Architectures()) {
    for (const std::string_view hf_class : known->hf_classes) {
      if (hf_class.empty()) continue;
      if (hf_class == name) return known;
      names += fmt::format("{}{}", names.empty() ? "" : ", ", hf_class);
    }
  }
  return Fail("architecture '{}' can't be converted: there are {}", Printable(name), names);
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

constexpr double kMaxNumber = 1e30;  // and 1 / kMaxNumber are floats

Result<double> ReadNumber(const JsonValue* json, std::string_view key, double min,
                          std::optional<double> fallback = std::nullopt) {
  const JsonValue* value = json == nullptr ? nullptr : json->Find(key);
  if (value == nullptr && fallback) return *fallback;
  if (value == nullptr) return Fail("{} is missing", key);
  const auto* whole = value->As<int64_t>();
  const auto* real = value->As<double>();
  const double number = whole ? static_cast<double>(*whole) : real ? *real : 0;
  if (number >= min && number <= kMaxNumber) return number;
  return Fail("{} is no number from {} to {}", key, min, kMaxNumber);
}

// A number that would change results may only be the one that does not.
Status CheckNumber(const JsonValue& json, std::string_view key, double harmless) {
  BITFETCH_ASSIGN_OR_RETURN(const double number, ReadNumber(&json, key, 1 / kMaxNumber, harmless));
  if (std::abs(number - harmless) <= 1e-6 * harmless) return {};
  return Fail("{} is {}: only {} is supported", key, number, harmless);
}

// What the forward pass does not know must not be there.
Status CheckAbsent(const JsonValue& json, std::string_view key) {
  const JsonValue* value = json.Find(key);
  const auto* flag = value == nullptr ? nullptr : value->As<bool>();
  if (value == nullptr || (flag != nullptr && !*flag)) return {};
  return Fail("{} is there, which is not supported", key);
}

Status ReadSizes(const JsonValue& json, ModelConfig* shape) {
  const auto size = [&](std::string_view key, int64_t max, int64_t* to,
                        std::optional<int64_t> fallback = std::nullopt) -> Status {
    BITFETCH_ASSIGN_OR_RETURN(*to, ReadSize(json, key, max, fallback));
    return {};
  };
  using Limits = ModelConfig;
  BITFETCH_RETURN_IF_ERROR(size("num_hidden_layers", Limits::kMaxLayers, &shape->layers));
  BITFETCH_RETURN_IF_ERROR(size("hidden_size", Limits::kMaxWidth, &shape->hidden));
  BITFETCH_RETURN_IF_ERROR(size("intermediate_size", Limits::kMaxWidth, &shape->ffn));
  BITFETCH_RETURN_IF_ERROR(size("num_attention_heads", Limits::kMaxHeads, &shape->heads));
  BITFETCH_RETURN_IF_ERROR(
      size("num_key_value_heads", Limits::kMaxHeads, &shape->kv_heads, shape->heads));
  BITFETCH_RETURN_IF_ERROR(size("vocab_size", Limits::kMaxVocab, &shape->vocab));
  BITFETCH_RETURN_IF_ERROR(size("max_position_embeddings", Limits::kMaxContext, &shape->context));
  if (json.Find("head_dim") == nullptr && shape->hidden % shape->heads != 0) {
    return Fail("a hidden_size of {} is no multiple of {} heads", shape->hidden, shape->heads);
  }
  BITFETCH_RETURN_IF_ERROR(
      size("head_dim", Limits::kMaxHeadDim, &shape->head_dim, shape->hidden / shape->heads));
  return CheckHeads(shape->heads, shape->kv_heads, shape->head_dim);
}

Result<Yarn> ReadYarn(const JsonValue& rope, int64_t context) {
  Yarn yarn;
  BITFETCH_ASSIGN_OR_RETURN(yarn.factor, ReadNumber(&rope, "factor", 1));
  BITFETCH_ASSIGN_OR_RETURN(
      yarn.original_context,
      ReadSize(rope, "original_max_position_embeddings", ModelConfig::kMaxContext, context));
  BITFETCH_RETURN_IF_ERROR(CheckNumber(rope, "beta_fast", 32));
  BITFETCH_RETURN_IF_ERROR(CheckNumber(rope, "beta_slow", 1));
  BITFETCH_RETURN_IF_ERROR(CheckNumber(rope, "attention_factor", 1 + 0.1 * std::log(yarn.factor)));
  BITFETCH_RETURN_IF_ERROR(CheckAbsent(rope, "mscale"));
  BITFETCH_RETURN_IF_ERROR(CheckAbsent(rope, "mscale_all_dim"));
  return yarn;
}

// Both spellings of transformers: 4's beside rope_theta, and 5's, in one object with it, or in one
// for each kind of layer.
Status ReadRope(const JsonValue& json, ModelConfig* shape) {
  const JsonValue* parameters = json.Find("rope_parameters");
  const JsonValue* in_window = nullptr;
  if (parameters != nullptr && parameters->Find("full_attention") != nullptr) {
    in_window = parameters->Find("sliding_attention");
    parameters = parameters->Find("full_attention");
  }
  BITFETCH_ASSIGN_OR_RETURN(double theta, ReadNumber(parameters, "rope_theta", 1, 10000));
  BITFETCH_ASSIGN_OR_RETURN(theta, ReadNumber(&json, "rope_theta", 1, theta));
  shape->rope_theta = static_cast<float>(theta);
  if (shape->window_period != 0) {
    const double usual = static_cast<double>(shape->architecture->window_rope_theta);
    BITFETCH_ASSIGN_OR_RETURN(theta, ReadNumber(in_window, "rope_theta", 1, usual));
    BITFETCH_ASSIGN_OR_RETURN(theta, ReadNumber(&json, "rope_local_base_freq", 1, theta));
    shape->window_rope_theta = static_cast<float>(theta);
  }

  const JsonValue* scaling = parameters != nullptr ? parameters : json.Find("rope_scaling");
  if (scaling == nullptr) return {};
  std::string type = Text(scaling->Find("rope_type"));
  if (type.empty()) type = Text(scaling->Find("type"));
  if (type.empty() || type == "default") return {};
  if (type != "yarn") return Fail("RoPE scaling of type '{}' is not supported", Printable(type));
  BITFETCH_ASSIGN_OR_RETURN(shape->yarn, ReadYarn(*scaling, shape->context));
  return {};
}

// Every layer but each of a number has the window: older files say the number, newer ones the kind
// of each layer.
Status ReadWindow(const JsonValue& json, ModelConfig* shape) {
  int64_t period = shape->architecture->window_period;
  if (period == 0) return CheckAbsent(json, "use_sliding_window");
  if (json.Find("sliding_window") == nullptr) return {};
  BITFETCH_ASSIGN_OR_RETURN(const int64_t window,
                            ReadSize(json, "sliding_window", ModelConfig::kMaxContext));
  for (const char* key : {"_sliding_window_pattern", "sliding_window_pattern"}) {
    BITFETCH_ASSIGN_OR_RETURN(period, ReadSize(json, key, ModelConfig::kMaxLayers, period));
  }
  if (const auto* types = json.Find<JsonValue::List>("layer_types")) {
    const auto is_full = [](const JsonValue& type) { return Text(&type) == "full_attention"; };
    period = std::ranges::find_if(*types, is_full) - types->begin() + 1;
    bool known = static_cast<int64_t>(types->size()) == shape->layers;
    for (size_t i = 0; i < types->size(); ++i) {
      const bool full = (static_cast<int64_t>(i) + 1) % period == 0;
      known &= Text(&(*types)[i]) == (full ? "full_attention" : "sliding_attention");
    }
    if (!known) return Fail("layer_types are not supported: wanted each of a number to be full");
  }
  if (period == 1) return {};
  shape->window = window;
  shape->window_period = period;
  return {};
}

Status CheckHfEffects(const JsonValue& json, const ModelConfig& shape) {
  for (const char* key : {"hidden_act", "hidden_activation"}) {
    const std::string_view known = ActivationName(shape.architecture->activation);
    const std::string activation = Text(json.Find(key));
    if (json.Find(key) == nullptr || activation == known) continue;
    return Fail("{} is '{}': only {} is supported", key, Printable(activation), known);
  }
  for (const char* key :
       {"attn_logit_softcapping", "final_logit_softcapping", "use_bidirectional_attention"}) {
    BITFETCH_RETURN_IF_ERROR(CheckAbsent(json, key));
  }
  BITFETCH_RETURN_IF_ERROR(CheckNumber(json, "partial_rotary_factor", 1));
  return CheckNumber(json, "query_pre_attn_scalar", static_cast<double>(shape.head_dim));
}

// https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.quantize.html
Status ReadMlx(const JsonValue& quantization, HfConfig* config) {
  const auto* settings = quantization.As<JsonValue::Object>();
  if (settings == nullptr) return Fail("quantization is no object");
  for (const auto& [key, value] : *settings) {
    if (key == "group_size" || key == "bits" || (key == "mode" && Text(&value) == "affine")) {
      continue;
    }
    return Fail("MLX's quantization has {}, which is not supported", Printable(key));
  }
  BITFETCH_ASSIGN_OR_RETURN(const int64_t bits, ReadSize(quantization, "bits", 8));
  if (bits != 2) return Fail("MLX's bits are {}: only 2 are supported", bits);
  BITFETCH_ASSIGN_OR_RETURN(config->mlx_group, ReadSize(quantization, "group_size", 128));
  if (config->mlx_group == 64 || config->mlx_group == 128) return {};
  return Fail("MLX's group_size is {}: only 64 and 128 are supported", config->mlx_group);
}

Status ReadQuantization(const JsonValue& json, HfConfig* config) {
  config->is_ternary = config->shape.architecture->hf_is_ternary;
  if (const JsonValue* mlx = json.Find("quantization")) return ReadMlx(*mlx, config);
  const JsonValue* quantization = json.Find("quantization_config");
  if (quantization == nullptr) return {};
  const std::string method = Text(quantization->Find("quant_method"));
  if (method != "bitnet") {
    return Fail("the weights are quantised by '{}': only BitNet's are ternary", Printable(method));
  }
  constexpr std::string_view kHead = "lm_head";
  if (const auto* dense = quantization->Find<JsonValue::List>("modules_to_not_convert")) {
    for (const JsonValue& module : *dense) {
      if (Text(&module) == kHead) continue;
      return Fail("quantization_config leaves '{}' as it is: only {} may be",
                  Printable(Text(&module)), kHead);
    }
  }
  config->is_ternary = true;
  config->scale_divides = Text(quantization->Find("linear_class")) != "autobitlinear";
  return {};
}

}  // namespace

Result<HfConfig> ReadHfConfig(const JsonValue& json) {
  HfConfig config;
  ModelConfig& shape = config.shape;
  BITFETCH_ASSIGN_OR_RETURN(shape.architecture, ReadArchitectureName(json));
  BITFETCH_RETURN_IF_ERROR(ReadSizes(json, &shape));
  BITFETCH_RETURN_IF_ERROR(ReadWindow(json, &shape));
  BITFETCH_RETURN_IF_ERROR(ReadRope(json, &shape));
  BITFETCH_ASSIGN_OR_RETURN(const double epsilon,
                            ReadNumber(&json, "rms_norm_eps", 1 / kMaxNumber, 1e-6));
  shape.rms_epsilon = static_cast<float>(epsilon);
  BITFETCH_RETURN_IF_ERROR(CheckHfEffects(json, shape));
  BITFETCH_RETURN_IF_ERROR(ReadQuantization(json, &config));
  config.tied = json.IsTrue("tie_word_embeddings");
  return config;
}

}  // namespace bitfetch
