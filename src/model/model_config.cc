// SPDX-License-Identifier: Apache-2.0
#include "model/model_config.h"

#include <cmath>
#include <optional>
#include <string_view>

#include "base/printable.h"

namespace bitfetch {
namespace {

// Reads the keys of one architecture, "llama.block_count" for the suffix "block_count".
class ConfigReader {
 public:
  ConfigReader(const GgufReader& gguf, std::string_view architecture)
      : gguf_(gguf), architecture_(architecture) {}

  std::string Key(std::string_view suffix) const {
    return fmt::format("{}.{}", architecture_, suffix);
  }
  bool Has(std::string_view suffix) const { return gguf_.Has(Key(suffix)); }

  Result<int64_t> Size(std::string_view suffix, int64_t max,
                       std::optional<int64_t> fallback = std::nullopt) const {
    if (fallback && !Has(suffix)) return *fallback;
    BITFETCH_ASSIGN_OR_RETURN(const int64_t value, gguf_.Get<int64_t>(Key(suffix)));
    if (value < 1 || value > max) {
      return Fail("{}: metadata key {} is {}: wanted 1 to {}", gguf_.path(), Key(suffix), value,
                  max);
    }
    return value;
  }

  Result<float> Positive(std::string_view suffix,
                         std::optional<double> fallback = std::nullopt) const {
    if (fallback && !Has(suffix)) return static_cast<float>(*fallback);
    BITFETCH_ASSIGN_OR_RETURN(const float value, gguf_.Get<float>(Key(suffix)));
    if (!std::isfinite(value) || value <= 0) {
      return Fail("{}: metadata key {} is {}: wanted a positive number", gguf_.path(), Key(suffix),
                  value);
    }
    return value;
  }

  // For keys that ask for what is not built: anything but `supported` is refused.
  template <class T>
  Status Only(std::string_view suffix, std::type_identity_t<T> supported) const {
    BITFETCH_ASSIGN_OR_RETURN(const T value, gguf_.Get<T>(Key(suffix), supported));
    if (value == supported) return {};
    return Fail("{}: metadata key {} is {}: only {} is supported", gguf_.path(), Key(suffix), value,
                supported);
  }

 private:
  const GgufReader& gguf_;
  std::string_view architecture_;
};

Result<Architecture> ReadArchitecture(const GgufReader& gguf, std::string_view name) {
  if (name == "bitnet-b1.58" || name == "bitnet-25") return Architecture::kBitNet;
  if (name == "llama") return Architecture::kLlama;
  if (name == "bitnet") {
    return Fail(
        "{}: architecture 'bitnet' (1bitLLM's models) is not supported: it needs a SentencePiece "
        "tokenizer, scales in tensors of their own and heads of 100",
        gguf.path());
  }
  return Fail("{}: architecture '{}' is not supported: only bitnet-b1.58, bitnet-25 and llama are",
              gguf.path(), Printable(name));
}

Status CheckRope(const GgufReader& gguf, const ConfigReader& keys, int64_t head_dim) {
  const std::string type_key = keys.Key("rope.scaling.type");
  BITFETCH_ASSIGN_OR_RETURN(const std::string_view scaling,
                            gguf.Get<std::string_view>(type_key, "none"));
  if (scaling != "none" && scaling != "linear") {
    return Fail("{}: metadata key {} is '{}', which is not supported", gguf.path(), type_key,
                Printable(scaling));
  }
  if (scaling == "linear" || !gguf.Has(type_key)) {
    BITFETCH_RETURN_IF_ERROR(keys.Only<double>("rope.scaling.factor", 1));
  }
  BITFETCH_RETURN_IF_ERROR(keys.Only<double>("rope.scale_linear", 1));
  return keys.Only<int64_t>("rope.dimension_count", head_dim);
}

}  // namespace

Result<ModelConfig> ReadModelConfig(const GgufReader& gguf) {
  BITFETCH_ASSIGN_OR_RETURN(const std::string_view architecture,
                            gguf.Get<std::string_view>("general.architecture"));
  const ConfigReader keys(gguf, architecture);
  ModelConfig config;
  BITFETCH_ASSIGN_OR_RETURN(config.architecture, ReadArchitecture(gguf, architecture));
  BITFETCH_ASSIGN_OR_RETURN(const std::string_view name,
                            gguf.Get<std::string_view>("general.name", ""));
  config.name = Printable(name);
  const bool bitnet = config.architecture == Architecture::kBitNet;
  config.rope_form = bitnet ? RopeForm::kHalfSplit : RopeForm::kAdjacentPairs;
  config.activation = bitnet ? Activation::kSquaredRelu : Activation::kSilu;
  config.has_sub_norms = bitnet;

  BITFETCH_ASSIGN_OR_RETURN(config.layers, keys.Size("block_count", ModelConfig::kMaxLayers));
  BITFETCH_ASSIGN_OR_RETURN(config.hidden, keys.Size("embedding_length", ModelConfig::kMaxWidth));
  BITFETCH_ASSIGN_OR_RETURN(config.ffn, keys.Size("feed_forward_length", ModelConfig::kMaxWidth));
  BITFETCH_ASSIGN_OR_RETURN(config.context, keys.Size("context_length", ModelConfig::kMaxContext));
  BITFETCH_ASSIGN_OR_RETURN(config.rope_theta, keys.Positive("rope.freq_base", 10000));
  if (config.rope_theta < 1) {
    return Fail("{}: a rope.freq_base of {} is not possible: wanted 1 or more", gguf.path(),
                config.rope_theta);
  }
  BITFETCH_ASSIGN_OR_RETURN(config.rms_epsilon, keys.Positive("attention.layer_norm_rms_epsilon"));

  BITFETCH_ASSIGN_OR_RETURN(config.heads,
                            keys.Size("attention.head_count", ModelConfig::kMaxHeads));
  BITFETCH_ASSIGN_OR_RETURN(
      config.kv_heads, keys.Size("attention.head_count_kv", ModelConfig::kMaxHeads, config.heads));
  if (config.heads % config.kv_heads != 0) {
    return Fail("{}: {} is {}, not a multiple of {}, {}", gguf.path(),
                keys.Key("attention.head_count"), config.heads, keys.Key("attention.head_count_kv"),
                config.kv_heads);
  }
  if (!keys.Has("attention.key_length") && config.hidden % config.heads != 0) {
    return Fail("{}: {} is {}, not a multiple of {}, {}", gguf.path(), keys.Key("embedding_length"),
                config.hidden, keys.Key("attention.head_count"), config.heads);
  }
  BITFETCH_ASSIGN_OR_RETURN(
      config.head_dim,
      keys.Size("attention.key_length", ModelConfig::kMaxHeadDim, config.hidden / config.heads));
  if (config.head_dim % ModelConfig::kHeadDimStep != 0 ||
      config.head_dim > ModelConfig::kMaxHeadDim) {
    return Fail("{}: heads of {} dimensions are not supported: wanted a multiple of {}, at most {}",
                gguf.path(), config.head_dim, ModelConfig::kHeadDimStep, ModelConfig::kMaxHeadDim);
  }
  if (config.heads * config.head_dim > ModelConfig::kMaxWidth) {
    return Fail("{}: {} heads of {} dimensions are not supported: wanted at most {} together",
                gguf.path(), config.heads, config.head_dim, ModelConfig::kMaxWidth);
  }
  BITFETCH_RETURN_IF_ERROR(keys.Only<int64_t>("attention.value_length", config.head_dim));
  BITFETCH_RETURN_IF_ERROR(keys.Only<int64_t>("expert_count", 0));
  BITFETCH_RETURN_IF_ERROR(CheckRope(gguf, keys, config.head_dim));

  BITFETCH_ASSIGN_OR_RETURN(const GgufTensor* embedding, gguf.GetTensor("token_embd.weight"));
  config.vocab = embedding->rows();
  if (config.vocab > ModelConfig::kMaxVocab) {
    return Fail("{}: tensor token_embd.weight has {} rows: wanted at most {}", gguf.path(),
                config.vocab, ModelConfig::kMaxVocab);
  }
  BITFETCH_ASSIGN_OR_RETURN(const int64_t vocab_size,
                            keys.Size("vocab_size", ModelConfig::kMaxVocab, config.vocab));
  if (vocab_size != config.vocab) {
    return Fail("{}: metadata key {} is {}, but tensor token_embd.weight has {} rows", gguf.path(),
                keys.Key("vocab_size"), vocab_size, config.vocab);
  }
  return config;
}

}  // namespace bitfetch
