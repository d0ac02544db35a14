// SPDX-License-Identifier: Apache-2.0
#include "engine/attention_probe.h"

#include <algorithm>
#include <memory>
#include <numeric>
#include <random>
#include <span>

#include "engine/cold_attention.h"
#include "kernels/attention.h"
#include "machine/clock.h"
#include "machine/race.h"

namespace bitfetch {
namespace {

// BitNet b1.58 2B4T.
constexpr int kKvHeads = 5;
constexpr int kGroup = 4;
constexpr int kHeadDim = 128;

// Of one look and thread, at least: long enough for the clock and for the first lines, which nobody
// prefetches, to weigh little.
constexpr size_t kColdBytes = size_t{2} << 20;
constexpr size_t kHotBytes = size_t{2} << 20;

constexpr int kHotLooks = 4;

// One kernel on a pool of threads, over memory full of zeros, which are as good as any values.
class Reader {
 public:
  Reader(const Kernels& kernels, ThreadPool& pool, KvTypes types)
      : threads_(pool.threads()),
        attention_(kernels, pool, {kKvHeads, kHeadDim, types}, kGroup),
        block_bytes_(attention_.layout().block_bytes()) {}

  PrefetchAccess Access(PageSize pages) const {
    return attention_.Access(BlockPlacement::kContiguous, pages);
  }

  // The best rate of one thread on data that its L2 holds.
  double Hot(std::span<const std::byte> memory, int64_t l2_bytes) {
    const int64_t blocks = std::clamp<int64_t>(l2_bytes / 2 / static_cast<int64_t>(block_bytes_), 1,
                                               kRangeTokens / kTileTokens);
    const std::vector<uint32_t> table = Table(blocks, /*shuffled=*/false);
    const std::vector<KvView> again(kHotBytes / (blocks * block_bytes_) + 1, View(memory, table));
    attention_.Pass(again, {});  // warms up
    double best = 0;
    for (int look = 0; look < kHotLooks; ++look) best = std::max(best, attention_.Pass(again, {}));
    return best;
  }

  // One look at cold data: nanoseconds, for the same work each time.
  double Cold(ColdBuffer& buffer, bool shuffled, const PrefetchPlan& plan) {
    std::vector<uint32_t>& table = tables_[shuffled ? 1 : 0];
    if (table.empty()) table = Table(ColdBlocks(buffer.size()), shuffled);
    const KvView view = View(buffer.NextBytes(table.size() * block_bytes_), table);
    return attention_.Time(std::span(&view, 1), plan);
  }

 private:
  // Whole ranges, as many for each thread, while the next looks find other memory.
  int64_t ColdBlocks(size_t buffer_bytes) const {
    constexpr int64_t kRangeBlocks = kRangeTokens / kTileTokens;
    const auto block = static_cast<int64_t>(block_bytes_);
    const int64_t ranges = static_cast<int64_t>(kColdBytes) / (block * kRangeBlocks) + 1;
    const int64_t max = static_cast<int64_t>(buffer_bytes / 4) / block;
    return std::clamp<int64_t>(ranges * kRangeBlocks * threads_, 1, max);
  }

  static std::vector<uint32_t> Table(int64_t blocks, bool shuffled) {
    std::vector<uint32_t> table(blocks);
    std::iota(table.begin(), table.end(), 0);
    if (shuffled) std::shuffle(table.begin(), table.end(), std::minstd_rand(1));
    return table;
  }

  KvView View(std::span<const std::byte> memory, const std::vector<uint32_t>& table) const {
    return {attention_.layout(), memory.data(), block_bytes_, table.data(),
            static_cast<int64_t>(table.size()) * kTileTokens};
  }

  int threads_;
  ColdAttention attention_;
  size_t block_bytes_;
  std::vector<uint32_t> tables_[2];  // in order, shuffled
};

// One kernel on one ground.
class Probe {
 public:
  Probe(const Kernels& kernels, bool tune, KvTypes types, const KernelProbe::Ground& ground)
      : kernels_(kernels), tune_(tune), types_(types), ground_(ground) {}

  // What it gains with that pool; added to the profile. Ends when the order of plans is sure, or at
  // `share_end` if something is known then, and at the deadline whatever is done: then it is false,
  // and nothing is added.
  bool Run(ThreadPool& pool, double share_end, MachineProfile& profile) {
    Reader reader(kernels_, pool, types_);
    const PrefetchAccess access = reader.Access(ground_.pages);
    KernelSpeed kernel{access.kernel, access.value_bits, 0, {}};
    if (const KernelSpeed* known = FindKernel(profile, kernel.name)) {
      kernel = *known;
    } else {
      const auto alone = ThreadPool::Create(1);
      if (!alone) return false;
      kernel.hot_bytes_per_s =
          Reader(kernels_, **alone, types_).Hot(ground_.buffer.bytes(), profile.l2_bytes);
    }

    const std::vector<Candidate> candidates = Candidates(profile, kernel, access);
    const double now = NowNs();
    const Race contiguous =
        Compare(reader, /*shuffled=*/false, candidates, now + (share_end - now) / 2);
    const Race paged = Compare(reader, /*shuffled=*/true, candidates, share_end);
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

  // The first is off.
  std::vector<Candidate> Candidates(MachineProfile profile, KernelSpeed kernel,
                                    const PrefetchAccess& access) const {
    if (kernel.gains.empty()) kernel.gains = {PrefetchGain{}};  // the distance needs none
    profile.kernels = {std::move(kernel)};
    std::vector<Candidate> candidates = {Candidate{}};
    for (const PrefetchHint hint : {PrefetchHint::kL1, PrefetchHint::kL2}) {
      for (const int streams : {1, 2, 4, 8, 16}) {
        if (!tune_ && (streams == 2 || streams == 16)) continue;
        candidates.push_back({PlanAlong(profile, access, hint, streams), hint, streams});
      }
    }
    return candidates;
  }

  // Until the order is sure, or `share_end`, but for the first heat, until the deadline.
  Race Compare(Reader& reader, bool shuffled, const std::vector<Candidate>& candidates,
               double share_end) const {
    Race race(static_cast<int>(candidates.size()));
    race.Run([&](int i) { return reader.Cold(ground_.buffer, shuffled, candidates[i].plan); },
             [&] {
               const double end = race.heats() == 0 ? ground_.deadline_ns : share_end;
               return NowNs() > std::min(end, ground_.deadline_ns);
             });
    return race;
  }

  const Kernels& kernels_;
  bool tune_;
  KvTypes types_;
  const KernelProbe::Ground& ground_;
};

bool MeasureAttention(const Kernels& kernels, bool tune, const std::vector<KvTypes>& types,
                      const KernelProbe::Ground& ground, MachineProfile& profile) {
  std::vector<ThreadPool*> pools = {&ground.pool};
  const auto alone = ThreadPool::Create(1);
  if (alone && tune && ground.pool.threads() > 1) pools.push_back(alone->get());
  size_t left = pools.size() * types.size();
  bool complete = alone.has_value();
  for (ThreadPool* pool : pools) {
    for (const KvTypes each : types) {
      const double now = NowNs();
      const double share_end = now + (ground.deadline_ns - now) / static_cast<double>(left--);
      complete &= Probe(kernels, tune, each, ground).Run(*pool, share_end, profile);
    }
  }
  return complete;
}

}  // namespace

KernelProbe AttentionProbe(const Kernels& kernels, ProbeEffort effort,
                           const std::vector<KvTypes>& types) {
  KernelProbe probe;
  std::vector<KvTypes> distinct;
  for (const KvTypes each : types) {
    if (std::ranges::count(distinct, each) > 0) continue;
    distinct.push_back(each);
    probe.names.push_back(AttentionName(kernels.isa, each));
  }
  const bool tune = effort == ProbeEffort::kTune;
  probe.measure = [&kernels, tune, distinct](const KernelProbe::Ground& ground,
                                             MachineProfile& profile) {
    return MeasureAttention(kernels, tune, distinct, ground, profile);
  };
  return probe;
}

KernelProbe AttentionProbe(const Kernels& kernels, ProbeEffort effort) {
  std::vector<KvTypes> types;
  for (const KvType type : kKvTypes) types.push_back({type, type});
  return AttentionProbe(kernels, effort, types);
}

}  // namespace bitfetch
