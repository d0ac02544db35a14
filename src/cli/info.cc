// SPDX-License-Identifier: Apache-2.0
#include <fmt/ranges.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.h"
#include "base/memory.h"
#include "cli/commands.h"
#include "cli/facts.h"
#include "cli/output.h"
#include "cli/profile_text.h"
#include "engine/engine_probe.h"
#include "kernels/attention.h"
#include "kernels/kernels.h"
#include "kernels/weights_access.h"
#include "machine/probe.h"
#include "machine/profile_store.h"
#include "prefetch/streams.h"

namespace bitfetch {
namespace {

struct InfoArguments {
  std::string model;
  bool machine = false;
};

std::string CacheBytes(int64_t bytes) {
  if (bytes == 0) return "none";
  if (bytes < 1 << 20) return fmt::format("{} KiB", bytes >> 10);
  return fmt::format("{:g} MiB", static_cast<double>(bytes) / (1 << 20));
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

void AddPlan(const MachineProfile& profile, const PrefetchAccess& access, const std::string& name,
             Facts& facts) {
  const PrefetchPlan plan = ChoosePrefetch(profile, access);
  if (plan.on) {
    const KernelSpeed& kernel = NearestKernel(profile, access);
    const Speedup gain = ChooseStreams(kernel, access).gain;
    facts.Add(name, "{} bytes ahead over {} stream{} into {}: {:.2f} times as fast{}",
              plan.distance_bytes, plan.streams, plan.streams == 1 ? "" : "s",
              plan.hint == PrefetchHint::kL1 ? "L1" : "L2", gain.times,
              kernel.name.empty() ? "" : fmt::format(" ({:.2f} to {:.2f})", gain.min, gain.max));
  } else {
    facts.Add(name, "off: it would make nothing faster");
  }
}

// What the law says to decode attention in the shape of BitNet b1.58 2B4T, and to weights.
void AddLaw(const MachineProfile& profile, Isa isa, int threads, Facts& facts) {
  constexpr KvLayout kLayout{.kv_heads = 5, .head_dim = 128, .types = {}};
  constexpr int kGroup = 4;
  facts.Add("prefetch law", "for attention in the shape of BitNet b1.58 2B4T, f16, {} threads",
            threads);
  for (const BlockPlacement placement : {BlockPlacement::kContiguous, BlockPlacement::kShuffled}) {
    for (const PageSize pages : {PageSize::kHuge, PageSize::k4K}) {
      AddPlan(profile, AttentionAccess(isa, kLayout, placement, pages, kGroup, threads),
              fmt::format("  {}, {} pages", BlockPlacementName(placement), PageSizeName(pages)),
              facts);
    }
  }
  facts.Add("", "for weights, {} threads", threads);
  for (const WeightsKind kind : kWeightsKinds) {
    AddPlan(profile, WeightsAccess(isa, kind, PageSize::kHuge, threads),
            fmt::format("  {}", WeightsKindName(kind)), facts);
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
                           EngineProbe(*kernels, ProbeEffort::kQuick, {KvTypes{}}));
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
  facts.Add("memory available", "{}", BytesText(static_cast<double>(AvailableMemory())));
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
  if (!options.model.empty()) BITFETCH_RETURN_IF_ERROR(AddModelFacts(options.model, facts));
  if (!options.model.empty() && options.machine) facts.Append("\n");
  if (options.machine) BITFETCH_RETURN_IF_ERROR(AddMachine(facts));
  return Printed(facts.text());
}

}  // namespace

void AddInfo(Command& program) {
  const auto options = std::make_shared<InfoArguments>();
  Command& command = program.Add(
      "info",
      {.usage = "[-m MODEL] [--machine]",
       .summary = "show facts about a model, or about this machine",
       .more =
           R"(Of any GGUF file: its shape, its types, its tokenizer, how much memory weights and a KV cache take,
and whether it runs, or why not. Of the machine: which kernels it can run, its caches, whether it
gives huge pages, how fast its memory was measured to be, and what prefetching follows from that.

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
