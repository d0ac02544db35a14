// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <memory>
#include <utility>

#include "base/log.h"
#include "base/memory.h"
#include "base/printable.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/profile_text.h"
#include "engine/attention_probe.h"
#include "engine/read_tokenizer.h"
#include "kernels/attention.h"
#include "kernels/kernels.h"
#include "machine/probe.h"
#include "machine/profile_store.h"
#include "model/gguf_reader.h"
#include "model/model.h"
#include "model/model_config.h"

namespace bitfetch {
namespace {

struct InfoArguments {
  std::string model;
  bool machine = false;
};

// Lines of a name and what there is to say of it.
class Facts {
 public:
  template <class... Args>
  void Add(std::string_view name, fmt::format_string<Args...> format, Args&&... args) {
    text_ += fmt::format("{:<26}{}\n", name, fmt::format(format, std::forward<Args>(args)...));
  }
  void Append(std::string_view lines) { text_ += lines; }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

// "1.2 GB", in powers of 1000 as files and benchmarks have them; caches come in powers of 1024.
std::string Bytes(double bytes) {
  for (const char* unit : {"bytes", "KB", "MB"}) {
    if (bytes < 1000) {
      return *unit == 'b' ? fmt::format("{:.0f} bytes", bytes)
                          : fmt::format("{:.1f} {}", bytes, unit);
    }
    bytes /= 1000;
  }
  return fmt::format("{:.2f} GB", bytes);
}

std::string CacheBytes(int64_t bytes) {
  if (bytes == 0) return "none";
  if (bytes < 1 << 20) return fmt::format("{} KiB", bytes >> 10);
  return fmt::format("{:g} MiB", static_cast<double>(bytes) / (1 << 20));
}

// "2.36 M".
std::string Count(int64_t count) {
  const auto value = static_cast<double>(count);
  if (count >= 1'000'000'000) return fmt::format("{:.2f} billion", value * 1e-9);
  if (count >= 1'000'000) return fmt::format("{:.2f} million", value * 1e-6);
  return fmt::format("{}", count);
}

void AddTensors(const GgufReader& file, Facts& facts) {
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
  facts.Add("tensors", "{}, {}", all.tensors, Bytes(static_cast<double>(all.bytes)));
  for (const auto& [type, sum] : types) {
    const bool called_q2_0 = type == TensorType::kPQ2_0 && file.old_q2_0();
    facts.Add(fmt::format("  {}", TensorTypeName(type)), "{} parameters in {} tensor{}, {}{}",
              Count(sum.elements), sum.tensors, sum.tensors == 1 ? "" : "s",
              Bytes(static_cast<double>(sum.bytes)),
              called_q2_0 ? ", as an older file has Q2_0: groups of 128" : "");
  }
}

Status AddTokenizer(const GgufReader& file, Facts& facts) {
  constexpr std::string_view kKind = "tokenizer.ggml.model";
  if (!file.Has(kKind)) {
    facts.Add("tokenizer", "none");
    return {};
  }
  BITFETCH_ASSIGN_OR_RETURN(const auto kind, file.Get<std::string_view>(kKind));
  const Result<Tokenizer> tokenizer = ReadTokenizer(file);
  if (!tokenizer) {
    facts.Add("tokenizer", "'{}', which cannot be used", Printable(kind));
    Warn("{}", tokenizer.error().message);
    return {};
  }
  const auto token = [](int id) { return id < 0 ? std::string("none") : fmt::format("{}", id); };
  facts.Add("tokenizer", "{}, {} tokens, BOS {}, EOS {}", tokenizer->name(), tokenizer->size(),
            token(tokenizer->bos()), token(tokenizer->eos()));
  return {};
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
    facts.Add(fmt::format("  {}", KvTypeName(type)), "{} for each token, {} for {} tokens",
              Bytes(token), Bytes(token * static_cast<double>(config.context)), config.context);
  }
}

Status AddModel(const std::string& path, Facts& facts) {
  BITFETCH_ASSIGN_OR_RETURN(GgufReader file, GgufReader::Open(path));
  BITFETCH_ASSIGN_OR_RETURN(const auto architecture,
                            file.Get<std::string_view>("general.architecture"));
  BITFETCH_ASSIGN_OR_RETURN(const auto name, file.Get<std::string_view>("general.name", ""));
  facts.Add("model", "{}", name.empty() ? "(no name)" : Printable(name));
  facts.Add("file", "{}, {}, GGUF version {}", path, Bytes(static_cast<double>(file.file_bytes())),
            file.version());
  facts.Add("architecture", "{}", Printable(architecture));
  const Result<ModelConfig> config = ReadModelConfig(file);
  if (config) AddShape(*config, facts);
  AddTensors(file, facts);
  BITFETCH_RETURN_IF_ERROR(AddTokenizer(file, facts));
  if (config) AddKvCache(*config, facts);
  const Status runs =
      config ? Model::Check(std::move(file), *config) : tl::unexpected(config.error());
  facts.Add("runs", "{}", runs ? "yes" : fmt::format("no: {}", runs.error().message));
  return {};
}

// Whether the system gives huge pages to who asks, by asking.
std::string HugePages() {
  constexpr size_t kAsked = 4 * kHugePageBytes;
  auto buffer = PageBuffer::Allocate(kAsked, PageSize::kHuge);
  if (!buffer) return "not known: " + buffer.error().message;
  for (size_t i = 0; i < kAsked; i += 4096) buffer->data()[i] = std::byte{1};
  const size_t given = buffer->HugeBytes();
  if (given == 0) return "the system gives 4 KiB pages where huge ones are asked for";
  if (given < kAsked) return "the system gives some of the huge pages that are asked for";
  return "the system gives the huge pages that are asked for";
}

// What the law says to decode attention in the shape of BitNet b1.58 2B4T.
void AddLaw(const MachineProfile& profile, Isa isa, int threads, Facts& facts) {
  constexpr KvLayout kLayout{.kv_heads = 5, .head_dim = 128, .types = {}};
  constexpr int kGroup = 4;
  facts.Add("prefetch law", "for attention in the shape of BitNet b1.58 2B4T, f16, {} threads",
            threads);
  for (const BlockPlacement placement : {BlockPlacement::kContiguous, BlockPlacement::kShuffled}) {
    for (const PageSize pages : {PageSize::kHuge, PageSize::k4K}) {
      const PrefetchPlan plan =
          ChoosePrefetch(profile, AttentionAccess(isa, kLayout, placement, pages, kGroup, threads));
      const std::string name =
          fmt::format("  {}, {} pages", BlockPlacementName(placement), PageSizeName(pages));
      if (plan.on) {
        facts.Add(name, "{} bytes ahead over {} stream{} into {}", plan.distance_bytes,
                  plan.streams, plan.streams == 1 ? "" : "s",
                  plan.hint == PrefetchHint::kL1 ? "L1" : "L2");
      } else {
        facts.Add(name, "off: it would not make attention faster");
      }
    }
  }
}

Status AddMachine(Facts& facts) {
  const Topology topology = ReadTopology();
  BITFETCH_ASSIGN_OR_RETURN(const Kernels* kernels, ChooseKernels());
  std::vector<std::string_view> isas;
  for (const Kernels* supported : SupportedKernels()) isas.push_back(IsaName(supported->isa));

  facts.Add("bitfetch", "{}", BITFETCH_VERSION);
  facts.Add("CPU", "{}", topology.cpu);
  facts.Add("ISAs", "{}; chosen: {}", fmt::join(isas, ", "), IsaName(kernels->isa));
  facts.Add("cores", "{} with {} hardware threads; {} threads are used", topology.cores,
            topology.cpus, topology.threads);
  const ProbedProfile probed =
      ReadOrMeasureProfile(topology, ProbeEffort::kQuick, BITFETCH_VERSION,
                           AttentionProbe(*kernels, ProbeEffort::kQuick, {KvTypes{}}));
  if (!probed.warning.empty()) Warn("{}", probed.warning);
  const MachineProfile& profile = probed.profile;
  if (topology.cache_source != CacheSource::kDefault) {
    facts.Add("caches", "sizes from {}", CacheSourceName(topology.cache_source));
  } else {
    facts.Add("caches", "the system does not tell their sizes: {}",
              profile.source == ProfileSource::kTune ? "measured" : "assumed");
  }
  facts.Add("  L1 data", "{}, lines of {} bytes", CacheBytes(profile.l1d_bytes),
            topology.line_bytes);
  facts.Add("  L2", "{}", CacheBytes(profile.l2_bytes));
  facts.Add("  L3", "{}", CacheBytes(profile.l3_bytes));
  facts.Add("memory available", "{}", Bytes(static_cast<double>(AvailableMemory())));
  facts.Add("huge pages", "{}", HugePages());

  facts.Append(ProfileText(profile));
  const std::string path = ProfilePath();
  facts.Add("profile", "{}",
            path.empty() ? "kept nowhere: neither XDG_CACHE_HOME nor HOME names a folder" : path);
  AddLaw(profile, kernels->isa, topology.threads, facts);
  return {};
}

Result<int> RunInfo(const InfoArguments& options) {
  Facts facts;
  if (!options.model.empty()) BITFETCH_RETURN_IF_ERROR(AddModel(options.model, facts));
  if (!options.model.empty() && options.machine) facts.Append("\n");
  if (options.machine) BITFETCH_RETURN_IF_ERROR(AddMachine(facts));
  return Printed(facts.text());
}

}  // namespace

void AddInfo(Command& program) {
  const auto options = std::make_shared<InfoArguments>();
  Command& command = program.Add(
      "info",
      {.usage = "-m MODEL | --machine",
       .summary = "show facts about a model, or about this machine",
       .more =
           R"(Of a model: its shape, its types, its tokenizer, how much memory a KV cache takes, and whether it
runs. Of the machine: which kernels it can run, its caches, whether it gives huge pages, how fast
its memory was measured to be, and what prefetching follows from that.

examples:
  bitfetch info -m models/tiny.gguf
  bitfetch info --machine)"});
  command.AddPath("-m,--model", "MODEL", "the model: a GGUF file", &options->model);
  command.AddFlag("--machine", "show this machine, and how the prefetch law decides on it",
                  &options->machine);
  command.Require([options]() -> Status {
    if (!options->model.empty() || options->machine) return {};
    return Fail("nothing to show: give -m or --machine");
  });
  command.SetRun([options] { return RunInfo(*options); });
}

}  // namespace bitfetch
