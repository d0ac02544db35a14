// SPDX-License-Identifier: Apache-2.0
#include "model/model_config_effects.h"

#include <cmath>
#include <string>
#include <variant>

#include "base/printable.h"

namespace bitfetch {
namespace {

struct Numbers {
  double allowed;
  bool zero_too = false;
};
constexpr Numbers kZero{0};
constexpr Numbers kFactor{1, true};  // 0 stands for no factor
using Harmless = std::variant<Numbers, bool, std::string_view>;

// A number of any type in the file.
Result<double> Number(const GgufReader& gguf, const std::string& key) {
  if (const auto integer = gguf.Get<int64_t>(key)) return static_cast<double>(*integer);
  return gguf.Get<double>(key);
}

Status Check(const GgufReader& gguf, const std::string& key, const Numbers& harmless) {
  BITFETCH_ASSIGN_OR_RETURN(const double value, Number(gguf, key));
  // Some files have floats that others computed.
  const bool is_allowed = std::abs(value - harmless.allowed) <= 1e-6 * std::abs(harmless.allowed);
  if (is_allowed || (harmless.zero_too && value == 0)) return {};
  return Fail("{}: metadata key {} is {}: only {}{} is supported", gguf.path(), key, value,
              harmless.allowed, harmless.zero_too ? " or 0" : "");
}

Status Check(const GgufReader& gguf, const std::string& key, bool harmless) {
  BITFETCH_ASSIGN_OR_RETURN(const bool value, gguf.Get<bool>(key));
  if (value == harmless) return {};
  return Fail("{}: metadata key {} is {}: only {} is supported", gguf.path(), key, value, harmless);
}

Status Check(const GgufReader& gguf, const std::string& key, std::string_view harmless) {
  BITFETCH_ASSIGN_OR_RETURN(const auto value, gguf.Get<std::string_view>(key));
  if (value == harmless) return {};
  return Fail("{}: metadata key {} is '{}': only '{}' is supported", gguf.path(), key,
              Printable(value), harmless);
}

// A factor without a type is linear; with the type "none" it has no effect, and YaRN is computed.
Status CheckRopeScaling(const GgufReader& gguf, const std::string& prefix) {
  const std::string type = prefix + "type";
  BITFETCH_ASSIGN_OR_RETURN(const auto name, gguf.Get<std::string_view>(type, "linear"));
  if (name == "none" || name == "yarn") return {};
  if (name != "linear") {
    return Fail("{}: metadata key {} is '{}', which is not supported", gguf.path(), type,
                Printable(name));
  }
  const std::string factor = prefix + "factor";
  return gguf.Has(factor) ? Check(gguf, factor, kFactor) : Status();
}

}  // namespace

Status CheckEffects(const GgufReader& gguf, std::string_view architecture,
                    const ModelConfig& config) {
  const auto head_dim = static_cast<double>(config.head_dim);
  struct Key {
    std::string_view suffix;
    Harmless harmless;
  };
  const Key keys[] = {
      {"hidden_activation", ActivationName(config.architecture->activation)},
      {"use_parallel_residual", false},
      {"swin_norm", false},
      {"embedding_scale", kFactor},
      {"residual_scale", kFactor},
      {"logit_scale", kFactor},
      {"attn_logit_softcapping", kZero},
      {"final_logit_softcapping", kZero},
      {"rescale_every_n_layers", kZero},
      {"expert_count", kZero},
      {"expert_shared_count", kZero},
      {"attention.causal", true},
      {"attention.scale", Numbers{1 / std::sqrt(head_dim), true}},
      {"attention.output_scale", kFactor},
      {"attention.value_scale", kFactor},
      {"attention.temperature_scale", kZero},
      {"attention.clamp_kqv", kZero},
      {"attention.max_alibi_bias", kZero},
      {"attention.q_lora_rank", kZero},
      {"attention.kv_lora_rank", kZero},
      {"attention.shared_kv_layers", kZero},
      {"attention.value_length", Numbers{head_dim}},
      {"rope.dimension_count", Numbers{head_dim}},
      {"rope.scale_linear", kFactor},
      {"rope.scaling.alpha", kFactor},
      {"rope.scaling.attn_factor", kFactor},
      {"rope.scaling.yarn_attn_factor", kFactor},
      {"rope.scaling.yarn_ext_factor", Numbers{config.yarn.factor == 1 ? 0.0 : 1.0}},
      {"rope.scaling.yarn_beta_fast", Numbers{32}},
      {"rope.scaling.yarn_beta_slow", Numbers{1}},
  };
  for (const Key& key : keys) {
    const std::string name = fmt::format("{}.{}", architecture, key.suffix);
    if (!gguf.Has(name)) continue;
    BITFETCH_RETURN_IF_ERROR(std::visit(
        [&](const auto& harmless) { return Check(gguf, name, harmless); }, key.harmless));
  }
  if (const std::string_view key = gguf.KeyWith(".hadamard."); !key.empty()) {
    return Fail("{}: metadata key {} asks for a rotation of activations, which is not supported",
                gguf.path(), Printable(key));
  }
  return CheckRopeScaling(gguf, fmt::format("{}.rope.scaling.", architecture));
}

Status CheckContext(const GgufReader& gguf, int64_t context) {
  BITFETCH_ASSIGN_OR_RETURN(const auto architecture,
                            gguf.Get<std::string_view>("general.architecture"));
  const std::string key = fmt::format("{}.attention.sliding_window", architecture);
  BITFETCH_ASSIGN_OR_RETURN(const int64_t window, gguf.Get<int64_t>(key, 0));
  if (window < 0)
    return Fail("{}: metadata key {} is {}: wanted 0 or more", gguf.path(), key, window);
  if (window == 0 || context <= window) return {};
  return Fail(
      "{}: metadata key {} is {}, and a context of {} tokens is longer, which is not "
      "supported: choose a --ctx of at most {}",
      gguf.path(), key, window, context, window);
}

}  // namespace bitfetch
