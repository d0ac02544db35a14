// SPDX-License-Identifier: Apache-2.0
#include <map>

#include "base/log.h"
#include "base/memory.h"
#include "base/printable.h"
#include "cli/facts.h"
#include "engine/read_tokenizer.h"
#include "kv/tile.h"
#include "model/gguf_reader.h"
#include "model/model.h"

namespace bitfetch {
namespace {

// "2.36 M".
std::string Count(int64_t count) {
  const auto value = static_cast<double>(count);
  if (count >= 1'000'000'000) return fmt::format("{:.2f} billion", value * 1e-9);
  if (count >= 1'000'000) return fmt::format("{:.2f} million", value * 1e-6);
  return fmt::format("{}", count);
}

// The bytes of all.
int64_t AddTensors(const GgufReader& file, Facts& facts) {
  struct OfType {
    int64_t tensors = 0, elements = 0, bytes = 0;
  };
  std::map<TensorType, OfType> types;
  OfType ternary, all;
  for (const GgufTensor& tensor : file.tensors()) {
    const bool is_ternary = IsTernary(tensor.type) || IsTernaryByGroup(tensor.type);
    for (OfType* sum : {&types[tensor.type], &all, is_ternary ? &ternary : nullptr}) {
      if (!sum) continue;
      sum->tensors += 1;
      sum->elements += tensor.elements;
      sum->bytes += static_cast<int64_t>(tensor.data.size());
    }
  }
  facts.Add("parameters", "{}: {} ternary, {} others", Count(all.elements), Count(ternary.elements),
            Count(all.elements - ternary.elements));
  facts.Add("tensors", "{}, {}", all.tensors, BytesText(static_cast<double>(all.bytes)));
  for (const auto& [type, sum] : types) {
    const bool called_q2_0 = type == TensorType::kPQ2_0 && file.old_q2_0();
    facts.Add(fmt::format("  {}", TensorTypeName(type)), "{} parameters in {} tensor{}, {}{}",
              Count(sum.elements), sum.tensors, sum.tensors == 1 ? "" : "s",
              BytesText(static_cast<double>(sum.bytes)),
              called_q2_0 ? ", as an older file has Q2_0: groups of 128" : "");
  }
  for (const auto& [number, sum] : file.other_types()) {
    facts.Add(fmt::format("  type {}", number), "{} parameters in {} tensor{}, not supported",
              Count(sum.elements), sum.tensors, sum.tensors == 1 ? "" : "s");
  }
  return all.bytes;
}

// Whether it can be used.
bool AddTokenizer(const GgufReader& file, Facts& facts) {
  constexpr std::string_view kKind = "tokenizer.ggml.model";
  if (!file.Has(kKind)) {
    facts.Add("tokenizer", "none");
    return false;
  }
  const Result<Tokenizer> tokenizer = ReadTokenizer(file);
  if (!tokenizer) {
    facts.Add("tokenizer", "'{}', which cannot be used",
              Printable(file.Get<std::string_view>(kKind).value_or("")));
    Warn("{}", tokenizer.error().message);
    return false;
  }
  const auto token = [](int id) { return id < 0 ? std::string("none") : fmt::format("{}", id); };
  facts.Add("tokenizer", "{}, {} tokens, BOS {}, EOS {}", tokenizer->name(), tokenizer->size(),
            token(tokenizer->bos()), token(tokenizer->eos()));
  return true;
}

void AddShape(const ModelConfig& config, Facts& facts) {
  facts.Add("layers", "{}, {} wide, feed-forward {} wide", config.layers, config.hidden,
            config.ffn);
  facts.Add("attention", "{} heads of {} dimensions; {} heads share each of {} KV heads",
            config.heads, config.head_dim, config.heads / config.kv_heads, config.kv_heads);
  facts.Add("context", "{} tokens, RoPE theta {}{}", config.context, config.rope_theta,
            config.yarn.factor == 1
                ? ""
                : fmt::format(", YaRN from {} tokens by {}", config.yarn.original_context,
                              config.yarn.factor));
}

void AddKvCache(const ModelConfig& config, Facts& facts) {
  facts.Add("KV cache", "takes memory as it fills");
  for (const KvType type : kKvTypes) {
    if (config.head_dim % KvDimStep(type) != 0) continue;
    const KvLayout layout{
        static_cast<int>(config.kv_heads), static_cast<int>(config.head_dim), {type, type}};
    const double token = static_cast<double>(layout.block_bytes()) / kTileTokens *
                         static_cast<double>(config.layers);
    facts.Add(fmt::format("  {}", KvTypeName(type)), "{} for 1000 tokens, {} for {}",
              BytesText(token * 1000), BytesText(token * static_cast<double>(config.context)),
              config.context);
  }
}

// A message about the file, which was named already.
std::string WithoutPath(std::string message, const std::string& path) {
  const std::string start = path + ": ";
  return message.starts_with(start) ? message.substr(start.size()) : message;
}

}  // namespace

std::string BytesText(double bytes) {
  for (const char* unit : {"bytes", "KB", "MB"}) {
    if (bytes < 1000) {
      return *unit == 'b' ? fmt::format("{:.0f} bytes", bytes)
                          : fmt::format("{:.1f} {}", bytes, unit);
    }
    bytes /= 1000;
  }
  return fmt::format("{:.2f} GB", bytes);
}

Status AddModelFacts(const std::string& path, Facts& facts) {
  BITFETCH_ASSIGN_OR_RETURN(GgufReader file, GgufReader::OpenAny(path));
  const auto text = [&](std::string_view key, std::string_view none) {
    const std::string value = Printable(file.Get<std::string_view>(key, "").value_or(""));
    return value.empty() ? std::string(none) : value;
  };
  facts.Add("model", "{}", text("general.name", "(no name)"));
  facts.Add("file", "{}, {}, GGUF version {}", path,
            BytesText(static_cast<double>(file.file_bytes())), file.version());
  facts.Add("architecture", "{}", text("general.architecture", "(not said)"));
  const Result<ModelConfig> config = ReadModelConfig(file);
  if (config) AddShape(*config, facts);
  const int64_t weights = AddTensors(file, facts);
  const bool has_tokenizer = AddTokenizer(file, facts);
  facts.Add("memory for weights", "{}; {} are available", BytesText(static_cast<double>(weights)),
            BytesText(static_cast<double>(AvailableMemory())));
  if (config) AddKvCache(*config, facts);
  if (const Status runs = Model::Check(std::move(file)); !runs) {
    facts.Append(fmt::format("does not run: {}\n", WithoutPath(runs.error().message, path)));
    return {};
  }
  facts.Add("runs here", "yes{}{}",
            config->window == 0 || config->window >= config->context
                ? ""
                : fmt::format(", in a context of at most {} tokens", config->window),
            has_tokenizer ? "" : ", on ids of tokens alone: it has no tokenizer that can be used");
  return {};
}

}  // namespace bitfetch
