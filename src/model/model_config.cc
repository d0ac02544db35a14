// SPDX-License-Identifier: Apache-2.0
#include "model/model_config.h"

#include <fmt/format.h>

#include <cmath>
#include <optional>
#include <string_view>

#include "base/log.h"
#include "base/printable.h"
#include "model/model_config_effects.h"

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

  Result<float> AtLeastOne(std::string_view suffix, double fallback) const {
    BITFETCH_ASSIGN_OR_RETURN(const float value, Positive(suffix, fallback));
    if (value < 1) {
      return Fail("{}: metadata key {} is {}: wanted 1 or more", gguf_.path(), Key(suffix), value);
    }
    return value;
  }

 private:
  const GgufReader& gguf_;
  std::string_view architecture_;
};

Result<const Architecture*> ReadArchitecture(const GgufReader& gguf, std::string_view name) {
  const Architecture* architecture = FindArchitecture(name);
  if (architecture != nullptr) return architecture;
  return Fail("{}: architecture '{}' is not supported: there are {}", gguf.path(), Printable(name),
              ArchitectureNames());
}

Result<Yarn> ReadYarn(const GgufReader& gguf, const ConfigReader& keys, int64_t context) {
  BITFETCH_ASSIGN_OR_RETURN(const auto type,
                            gguf.Get<std::string_view>(keys.Key("rope.scaling.type"), ""));
  if (type != "yarn") return Yarn{};
  Yarn yarn;
  BITFETCH_ASSIGN_OR_RETURN(yarn.factor, keys.AtLeastOne("rope.scaling.factor", 1));
  BITFETCH_ASSIGN_OR_RETURN(yarn.original_context, keys.Size("rope.scaling.original_context_length",
                                                             ModelConfig::kMaxContext, context));
  return yarn;
}

// Which layers have a window, where the architecture makes a difference between them.
Status ReadWindow(const GgufReader& gguf, const ConfigReader& keys, ModelConfig* config) {
  const Architecture& architecture = *config->architecture;
  BITFETCH_ASSIGN_OR_RETURN(const int64_t window,
                            gguf.Get<int64_t>(keys.Key("attention.sliding_window"), 0));
  config->window = window;
  if (window == 0 || architecture.window_period == 0) return {};
  BITFETCH_ASSIGN_OR_RETURN(config->window_period,
                            keys.Size("attention.sliding_window_pattern", ModelConfig::kMaxLayers,
                                      architecture.window_period));
  BITFETCH_ASSIGN_OR_RETURN(config->window_rope_theta,
                            keys.AtLeastOne("rope.freq_base_swa", architecture.window_rope_theta));
  return {};
}

// Where the tokenizer says otherwise than `vocab_size`, it is right: it names each token.
Status CheckVocabSize(const GgufReader& gguf, const std::string& key, int64_t rows) {
  BITFETCH_ASSIGN_OR_RETURN(const int64_t vocab_size, gguf.Get<int64_t>(key, rows));
  if (vocab_size == rows) return {};
  const auto tokens = gguf.GetArray<std::string_view>("tokenizer.ggml.tokens");
  if (!tokens || static_cast<int64_t>(tokens->size()) != rows) {
    return Fail("{}: metadata key {} is {}, but tensor token_embd.weight has {} rows", gguf.path(),
                key, vocab_size, rows);
  }
  Warn("{}: metadata key {} is {}, but there are {} tokens and rows of token_embd.weight",
       gguf.path(), key, vocab_size, rows);
  return {};
}

}  // namespace

Status CheckHeads(int64_t heads, int64_t kv_heads, int64_t head_dim) {
  if (heads % kv_heads != 0) {
    return Fail("{} heads are not a multiple of {} KV heads", heads, kv_heads);
  }
  if (head_dim % ModelConfig::kHeadDimStep != 0) {
    return Fail("heads of {} dimensions are not supported: wanted a multiple of {}", head_dim,
                ModelConfig::kHeadDimStep);
  }
  if (heads * head_dim > ModelConfig::kMaxWidth) {
    return Fail("{} heads of {} dimensions are not supported: wanted at most {} together", heads,
                head_dim, ModelConfig::kMaxWidth);
  }
  return {};
}

Status CheckKind(const GgufReader& gguf) {
  constexpr std::string_view kKey = "general.architecture";
  if (gguf.Has(kKey)) {  // which only the first part of a split model has
    BITFETCH_ASSIGN_OR_RETURN(const auto name, gguf.Get<std::string_view>(kKey));
    BITFETCH_RETURN_IF_ERROR(ReadArchitecture(gguf, name));
  }
  if (gguf.obstacle()) return tl::unexpected(*gguf.obstacle());
  return {};
}

Result<ModelConfig> ReadModelConfig(const GgufReader& gguf) {
  BITFETCH_ASSIGN_OR_RETURN(const std::string_view architecture,
                            gguf.Get<std::string_view>("general.architecture"));
  const ConfigReader keys(gguf, architecture);
  ModelConfig config;
  BITFETCH_ASSIGN_OR_RETURN(config.architecture, ReadArchitecture(gguf, architecture));
  BITFETCH_ASSIGN_OR_RETURN(const std::string_view name,
                            gguf.Get<std::string_view>("general.name", ""));
  config.name = Printable(name);

  BITFETCH_ASSIGN_OR_RETURN(config.layers, keys.Size("block_count", ModelConfig::kMaxLayers));
  BITFETCH_ASSIGN_OR_RETURN(config.hidden, keys.Size("embedding_length", ModelConfig::kMaxWidth));
  BITFETCH_ASSIGN_OR_RETURN(config.ffn, keys.Size("feed_forward_length", ModelConfig::kMaxWidth));
  BITFETCH_ASSIGN_OR_RETURN(config.context, keys.Size("context_length", ModelConfig::kMaxContext));
  BITFETCH_ASSIGN_OR_RETURN(config.rope_theta, keys.AtLeastOne("rope.freq_base", 10000));
  BITFETCH_RETURN_IF_ERROR(ReadWindow(gguf, keys, &config));
  BITFETCH_ASSIGN_OR_RETURN(config.yarn, ReadYarn(gguf, keys, config.context));
  BITFETCH_ASSIGN_OR_RETURN(config.rms_epsilon, keys.Positive("attention.layer_norm_rms_epsilon"));

  BITFETCH_ASSIGN_OR_RETURN(config.heads,
                            keys.Size("attention.head_count", ModelConfig::kMaxHeads));
  BITFETCH_ASSIGN_OR_RETURN(
      config.kv_heads, keys.Size("attention.head_count_kv", ModelConfig::kMaxHeads, config.heads));
  if (!keys.Has("attention.key_length") && config.hidden % config.heads != 0) {
    return Fail("{}: {} is {}, not a multiple of {}, {}", gguf.path(), keys.Key("embedding_length"),
                config.hidden, keys.Key("attention.head_count"), config.heads);
  }
  BITFETCH_ASSIGN_OR_RETURN(
      config.head_dim,
      keys.Size("attention.key_length", ModelConfig::kMaxHeadDim, config.hidden / config.heads));
  if (const Status heads = CheckHeads(config.heads, config.kv_heads, config.head_dim); !heads) {
    return Fail("{}: {}", gguf.path(), heads.error().message);
  }
  BITFETCH_RETURN_IF_ERROR(CheckEffects(gguf, architecture, config));

  if (config.architecture->scales_embedding) {
    config.embedding_scale = std::sqrt(static_cast<float>(config.hidden));
  }
  config.input_norms = config.architecture->may_have_input_norms &&
                       gguf.FindTensor("blk.0.attn_q_norm_in.weight") != nullptr;

  BITFETCH_ASSIGN_OR_RETURN(const GgufTensor* embedding, gguf.GetTensor("token_embd.weight"));
  config.vocab = embedding->rows();
  if (config.vocab > ModelConfig::kMaxVocab) {
    return Fail("{}: tensor token_embd.weight has {} rows: wanted at most {}", gguf.path(),
                config.vocab, ModelConfig::kMaxVocab);
  }
  BITFETCH_RETURN_IF_ERROR(CheckVocabSize(gguf, keys.Key("vocab_size"), config.vocab));
  return config;
}

}  // namespace bitfetch
