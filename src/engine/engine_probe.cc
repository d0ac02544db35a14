// SPDX-License-Identifier: Apache-2.0
#include "engine/engine_probe.h"

#include <algorithm>
#include <functional>
#include <memory>
#include <span>

#include "engine/probed_kernel.h"
#include "kernels/attention.h"
#include "machine/clock.h"
#include "machine/race.h"

namespace bitfetch {
namespace {

constexpr int kHotLooks = 8;

using OnPool = std::function<std::unique_ptr<ProbedKernel>(ThreadPool&)>;

// One kernel on one ground.
class Probe {
 public:
  Probe(const OnPool& on_pool, bool tune, const KernelProbe::Ground& ground)
      : on_pool_(on_pool), tune_(tune), ground_(ground) {}

  // What it gains with that pool; added to the profile. Ends when the order of plans is sure, or at
  // `share_end` if something is known then, and at the deadline whatever is done: then it is false,
  // and nothing is added.
  bool Run(ThreadPool& pool, double share_end, MachineProfile& profile) {
    const std::unique_ptr<ProbedKernel> probed = on_pool_(pool);
    const PrefetchAccess access = probed->Access(ground_.pages);
    KernelSpeed kernel{access.kernel, access.value_bits, 0, {}, access.data};
    if (const KernelSpeed* known = FindKernel(profile, kernel.name)) {
      kernel = *known;
    } else {
      const auto alone = ThreadPool::Create(1);
      if (!alone) return false;
      kernel.hot_bytes_per_s = Hot(*on_pool_(**alone), profile.l2_bytes);
    }

    const std::vector<Candidate> candidates = Candidates(profile, kernel, access);
    const double now = NowNs();
    const bool in_blocks = access.data == KernelData::kKv;
    const Race contiguous = Compare(*probed, /*shuffled=*/false, candidates,
                                    in_blocks ? now + (share_end - now) / 2 : share_end);
    const Race paged =
        in_blocks ? Compare(*probed, /*shuffled=*/true, candidates, share_end) : contiguous;
    if (contiguous.heats() == 0 || paged.heats() == 0) return false;
    for (int i = 1; i < static_cast<int>(candidates.size()); ++i) {
      kernel.gains.push_back({ground_.pages, pool.threads(), candidates[i].hint,
                              candidates[i].streams, contiguous.Over(0, i), paged.Over(0, i)});
    }
    std::erase_if(profile.kernels,
                  [&](const KernelSpeed& each) { return each.name == kernel.name; });
    profile.kernels.push_back(std::move(kernel));
    return true;
  }

 private:
  struct Candidate {
    PrefetchPlan plan;
    PrefetchHint hint;  // as they were asked for
    int streams;
  };

  // The best rate of one thread on data that its L2 holds.
  double Hot(ProbedKernel& alone, int64_t l2_bytes) const {
    const auto look = [&] { return alone.Hot(ground_.buffer.bytes(), l2_bytes); };
    look();  // warms up
    double best = 0;
    for (int i = 0; i < kHotLooks; ++i) best = std::max(best, look());
    return best;
  }

  // The first is off.
  std::vector<Candidate> Candidates(MachineProfile profile, KernelSpeed kernel,
                                    const PrefetchAccess& access) const {
    if (kernel.gains.empty()) kernel.gains = {PrefetchGain{}};  // the distance needs none
    profile.kernels = {std::move(kernel)};
    std::vector<Candidate> candidates = {Candidate{}};
    for (const PrefetchHint hint : {PrefetchHint::kL1, PrefetchHint::kL2}) {
      for (const int streams : {1, 2, 4, 8, 16}) {
        if (streams > access.max_streams) break;
        if (!tune_ && (streams == 2 || streams == 16)) continue;
        candidates.push_back({PlanAlong(profile, access, hint, streams), hint, streams});
      }
    }
    return candidates;
  }

  // Until the order is sure, or `share_end`, but for the first heat, until the deadline.
  Race Compare(ProbedKernel& probed, bool shuffled, const std::vector<Candidate>& candidates,
               double share_end) const {
    Race race(static_cast<int>(candidates.size()));
    race.Run([&](int i) { return probed.Cold(ground_.buffer, shuffled, candidates[i].plan); },
             [&] {
               const double end = race.heats() == 0 ? ground_.deadline_ns : share_end;
               return NowNs() > std::min(end, ground_.deadline_ns);
             });
    return race;
  }

  const OnPool& on_pool_;
  bool tune_;
  const KernelProbe::Ground& ground_;
};

bool Measure(const std::vector<OnPool>& kernels, bool tune, const KernelProbe::Ground& ground,
             MachineProfile& profile) {
  std::vector<ThreadPool*> pools = {&ground.pool};
  const auto alone = ThreadPool::Create(1);
  if (alone && tune && ground.pool.threads() > 1) pools.push_back(alone->get());
  size_t left = pools.size() * kernels.size();
  bool complete = alone.has_value();
  for (ThreadPool* pool : pools) {
    for (const OnPool& each : kernels) {
      const double now = NowNs();
      const double share_end = now + (ground.deadline_ns - now) / static_cast<double>(left--);
      complete &= Probe(each, tune, ground).Run(*pool, share_end, profile);
    }
  }
  return complete;
}

}  // namespace

KernelProbe EngineProbe(const Kernels& kernels, ProbeEffort effort,
                        const std::vector<KvTypes>& types) {
  KernelProbe probe;
  std::vector<OnPool> on_pool;
  for (const KvTypes each : types) {
    const std::string name = AttentionName(kernels.isa, each);
    if (std::ranges::count(probe.names, name) > 0) continue;
    probe.names.push_back(name);
    on_pool.push_back(
        [&kernels, each](ThreadPool& pool) { return ProbedAttention(kernels, pool, each); });
  }
  for (const WeightsKind kind : kWeightsKinds) {
    probe.names.push_back(WeightsName(kernels.isa, kind));
    on_pool.push_back(
        [&kernels, kind](ThreadPool& pool) { return ProbedWeights(kernels, pool, kind); });
  }
  const bool tune = effort == ProbeEffort::kTune;
  probe.measure = [tune, on_pool](const KernelProbe::Ground& ground, MachineProfile& profile) {
    return Measure(on_pool, tune, ground, profile);
  };
  return probe;
}

KernelProbe EngineProbe(const Kernels& kernels, ProbeEffort effort) {
  std::vector<KvTypes> types;
  for (const KvType type : kKvTypes) types.push_back({type, type});
  return EngineProbe(kernels, effort, types);
}

}  // namespace bitfetch
