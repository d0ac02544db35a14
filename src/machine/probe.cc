// SPDX-License-Identifier: Apache-2.0
#include "machine/probe.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <memory>
#include <utility>
#include <vector>

#include "base/affinity.h"
#include "base/memory.h"
#include "base/thread_pool.h"
#include "machine/cache_sizes.h"
#include "machine/chase.h"
#include "machine/clock.h"
#include "machine/cold_buffer.h"
#include "machine/profile_store.h"
#include "machine/stream_read.h"

namespace bitfetch {
namespace {

struct Effort {
  double touch_ms;    // to touch a buffer, which takes as long as the system likes
  double ms;          // to measure what was touched
  size_t caches;      // the buffer's size in last-level caches
  size_t look_bytes;  // of one look at a speed
  int rounds;
};

Effort EffortOf(ProbeEffort effort) {
  if (effort == ProbeEffort::kQuick) {
    return {50, 100, 3, size_t{8} << 20, 3};
  }
  return {20'000, 8000, 4, size_t{16} << 20, 9};
}

constexpr size_t kMinBytes = size_t{32} << 20;
constexpr size_t kMaxBytes = size_t{2} << 30;
constexpr int64_t kBurst = 512;  // loads: short enough to fall between two interruptions

double TouchDeadline(const Effort& effort) { return NowNs() + effort.touch_ms * 1e6; }

// One run of the measurements. All of them take the best of several short looks, in turn with what
// they are compared to, because whatever disturbs a look only makes it slower.
class Probe {
 public:
  Probe(const Effort& effort, const KernelProbe& kernels, ThreadPool& pool, ColdBuffer buffer,
        MachineProfile& profile)
      : effort_(effort),
        kernels_(kernels),
        pool_(pool),
        buffer_(std::move(buffer)),
        deadline_(NowNs() + effort.ms * 1e6),
        profile_(profile) {}

  // What the machine does. Chases come first and look at the front half, of which the caches hold
  // nothing after the rest was touched.
  void Machine(bool every_style) {
    Chase chase(Half(buffer_, 0));
    profile_.latency_ns = BestLatency(chase);
    Misses(chase);
    const Loaded loaded = LoadedLatency(chase, buffer_);
    profile_.loaded_latency_ns = std::max(loaded.latency_ns, profile_.latency_ns);
    profile_.jitter_ns = loaded.jitter_ns;
    // Until, and unless, they are measured.
    profile_.latency_4k_ns = profile_.latency_ns * 1.3;
    profile_.loaded_latency_4k_ns = profile_.loaded_latency_ns * 1.3;
    for (int threads = 1; threads < pool_.threads(); threads *= 2) Reads(threads, every_style);
    Reads(pool_.threads(), every_style);
    complete_ &= !Late();
  }

  // For a machine that tells no cache sizes. Where no L2 shows, assumptions stand.
  void Caches() {
    const CacheSizes sizes = FindCacheSizes(MeasureLatencies(Half(buffer_, 0), deadline_));
    if (sizes.l2_bytes == 0) return;
    profile_.l1d_bytes = sizes.l1d_bytes;
    profile_.l2_bytes = sizes.l2_bytes;
    profile_.l3_bytes = sizes.l3_bytes;
  }

  // Kernels on the buffer of huge pages, until `part` of what time is left has passed.
  void Kernels(double part) {
    const double now = NowNs();
    Kernels(buffer_, PageSize::kHuge, now + std::max(deadline_ - now, 0.0) * part);
  }

  // The same on 4 KiB pages, and the latencies there if `machine`. The buffer is smaller: what
  // counts is that page tables are walked, and 4 KiB pages take long to touch.
  void SmallPages(bool machine) {
    const double begin = NowNs();
    auto small = ColdBuffer::Create(pool_, std::min(buffer_.size(), size_t{128} << 20),
                                    PageSize::k4K, TouchDeadline(effort_));
    deadline_ += NowNs() - begin;
    if (!small || small->size() < kMinBytes) {
      complete_ = false;
      return;
    }
    if (machine) {
      Chase chase(Half(*small, 0));
      profile_.latency_4k_ns = std::max(BestLatency(chase), profile_.latency_ns);
      profile_.loaded_latency_4k_ns =
          std::max({LoadedLatency(chase, *small).latency_ns, profile_.latency_4k_ns,
                    profile_.loaded_latency_ns});
      complete_ &= !Late();
    }
    Kernels(*small, PageSize::k4K, deadline_);
  }

  // False if time ran out before the end: what was not measured then keeps its default.
  bool complete() const { return complete_; }

 private:
  struct Loaded {
    double latency_ns;
    double jitter_ns;
  };

  bool Late() const { return NowNs() > deadline_; }

  static std::span<const std::byte> Half(const ColdBuffer& buffer, int half) {
    return buffer.bytes().subspan(buffer.size() / 2 * half, buffer.size() / 2);
  }

  void Kernels(ColdBuffer& buffer, PageSize pages, double deadline) {
    if (!kernels_.measure) return;
    complete_ &= kernels_.measure({buffer, pages, pool_, deadline}, profile_);
  }

  double BestLatency(Chase& chase) {
    double best = chase.OneByOne(kBurst);
    for (int i = 1; i < 8 * effort_.rounds; ++i) best = std::min(best, chase.OneByOne(kBurst));
    return best;
  }

  // Little's law: what is in flight is what arrives in the time that one takes. From random lines,
  // which no hardware prefetcher can help.
  void Misses(Chase& chase) {
    double fastest = profile_.latency_ns;
    for (int i = 0; i < 8 * effort_.rounds; ++i) {
      fastest = std::min(fastest, chase.AllAtOnce(kBurst));
    }
    profile_.misses_in_flight = profile_.latency_ns / fastest;
  }

  // The others stream through the back half while this thread chases. Alone there is nobody else
  // who loads the memory.
  Loaded LoadedLatency(Chase& chase, const ColdBuffer& buffer) {
    if (pool_.threads() == 1) return {BestLatency(chase), 0};
    constexpr int kLoads = 4;  // enough for the clock, few enough to see single late ones
    std::vector<double> looks(static_cast<size_t>(effort_.rounds) * 250);
    const auto back = Half(buffer, 1);
    std::vector<uint32_t> order(back.size() / kReadSegmentBytes);
    for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<uint32_t>(i);
    std::atomic<int> streaming{0};
    std::atomic<bool> done{false};
    std::atomic<uint64_t> sum{0};
    pool_.Run([&](int thread) {
      if (thread == 0) {
        while (streaming < pool_.threads() - 1 && !Late()) {
        }
        for (double& look : looks) look = chase.OneByOne(kLoads);
        done = true;
        return;
      }
      ++streaming;
      const size_t each = order.size() / (pool_.threads() - 1);
      const std::span<const uint32_t> mine(order.data() + each * (thread - 1), each);
      for (size_t at = 0; !done && !Late(); at = (at + 64) % (std::max<size_t>(each, 64) - 63)) {
        sum += ReadSegments(back.data(), mine.subspan(at, std::min<size_t>(64, each)),
                            {.width_bytes = ReadWidths().back()});
      }
    });
    std::sort(looks.begin(), looks.end());
    const double median = looks[looks.size() / 2];
    // A look is the mean of several loads, of which each alone varies that much more.
    return {median, (looks[looks.size() * 9 / 10] - median) * std::sqrt(kLoads)};
  }

  size_t LookBytes() const {
    const size_t bytes = std::max(effort_.look_bytes, pool_.threads() * kReadSegmentBytes * 64);
    return std::min(bytes, buffer_.size());
  }

  // The best of `rounds` looks at each style, in turn; 0 where there was no time for one.
  std::vector<double> BestReads(int threads, const std::vector<ReadStyle>& styles) {
    std::vector<double> best(styles.size(), 0);
    for (int round = 0; round < effort_.rounds; ++round) {
      for (size_t i = 0; i < styles.size() && !Late(); ++i) {
        const double speed =
            buffer_.Read(pool_, threads, LookBytes(), /*shuffled=*/false, styles[i]);
        best[i] = std::max(best[i], speed);
      }
    }
    return best;
  }

  void Reads(int threads, bool every_style) {
    const int widest = ReadWidths().back();
    std::vector<ReadStyle> styles = ReadStyles();
    if (!every_style) {
      std::erase_if(styles, [&](const ReadStyle& style) {
        return style.width_bytes != widest || style.streams == 1 || style.streams == 2;
      });
    }
    const std::vector<double> best = BestReads(threads, styles);
    for (size_t i = 0; i < styles.size(); ++i) {
      if (best[i] == 0) continue;
      reads_.push_back({threads, styles[i].width_bytes, styles[i].streams, best[i]});
    }
    if (!reads_.empty()) profile_.reads = reads_;
  }

  const Effort& effort_;
  const KernelProbe& kernels_;
  ThreadPool& pool_;
  ColdBuffer buffer_;
  double deadline_;
  MachineProfile& profile_;
  std::vector<ReadSpeed> reads_;
  bool complete_ = true;
};

}  // namespace

Result<Measurement> MeasureMachine(const Topology& topology, ProbeEffort probe_effort,
                                   const KernelProbe& kernels, const MachineProfile* known) {
  const Effort effort = EffortOf(probe_effort);
  const auto caches = static_cast<size_t>(topology.last_level_bytes);
  const size_t max_bytes = std::max(kMaxBytes, 2 * caches);
  const size_t bytes = std::clamp(effort.caches * caches, kMinBytes, max_bytes);
  if (AvailableMemory() / 2 < static_cast<int64_t>(bytes)) {
    return Fail("no memory to measure with: that takes several times the caches' {} MiB",
                caches >> 20);
  }
  BITFETCH_ASSIGN_OR_RETURN(const auto pool, ThreadPool::Create(topology.threads));
  BITFETCH_ASSIGN_OR_RETURN(
      ColdBuffer buffer, ColdBuffer::Create(*pool, bytes, PageSize::kHuge, TouchDeadline(effort)));
  if (const size_t min_bytes = std::max(2 * caches, kMinBytes); buffer.size() < min_bytes) {
    return Fail("the system took {} s to give {} of the {} MiB that measuring its memory takes",
                effort.touch_ms / 1e3, buffer.size() >> 20, min_bytes >> 20);
  }

  Measurement measured{known != nullptr ? *known : DefaultProfile(topology), false};
  MachineProfile& profile = measured.profile;
  const std::vector<KernelSpeed> before = std::exchange(profile.kernels, {});
  const bool tune = probe_effort == ProbeEffort::kTune;
  if (known == nullptr) {
    profile.source = tune ? ProfileSource::kTune : ProfileSource::kQuick;
    profile.huge_pages = buffer.memory().HugeBytes() >= buffer.size() / 2;
  }
  Probe probe(effort, kernels, *pool, std::move(buffer), profile);
  if (known == nullptr) probe.Machine(/*every_style=*/tune);
  if (tune && known == nullptr && topology.cache_source == CacheSource::kDefault) probe.Caches();
  probe.Kernels(tune ? 0.5 : 1.0);
  if (tune) probe.SmallPages(/*machine=*/known == nullptr);
  for (const KernelSpeed& kernel : before) {  // what was not measured anew
    const bool assumed = kernel.name.empty() && !profile.kernels.empty();
    if (!assumed && !FindKernel(profile, kernel.name)) profile.kernels.push_back(kernel);
  }
  // Threads that were pinned to fewer cores meanwhile took turns.
  measured.complete = probe.complete() && AffinityCpus() >= topology.threads;
  if (const Status sane = CheckProfile(profile); !sane) {
    return Fail("what was measured makes no sense: {}", sane.error().message);
  }
  return measured;
}

ProbedProfile ReadOrMeasureProfile(const Topology& topology, ProbeEffort effort,
                                   std::string_view version, const KernelProbe& kernels) {
  const std::string path = ProfilePath();
  LoadedProfile kept = LoadProfile(path, topology, version);
  const auto lacks = [&](const std::string& name) { return !FindKernel(*kept.profile, name); };
  if (kept.profile && std::ranges::none_of(kernels.names, lacks)) return {*kept.profile, ""};
  std::string warning = std::move(kept.warning);
  const auto warn = [&](std::string text) {  // of the first thing that went wrong
    if (warning.empty()) warning = std::move(text);
  };
  ProbedProfile probed{kept.profile ? *kept.profile : DefaultProfile(topology), ""};
  const MachineProfile* known = kept.profile ? &*kept.profile : nullptr;
  if (Result<Measurement> measured = MeasureMachine(topology, effort, kernels, known); !measured) {
    // The quick probe was nobody's wish, and the next run tries again.
    if (effort == ProbeEffort::kTune) {
      warn(fmt::format("assuming an average machine for prefetch: {}", measured.error().message));
    }
  } else {
    probed.profile = std::move(measured->profile);
    if (measured->complete) {
      if (const Status saved = SaveProfile(path, probed.profile, version); !saved) {
        warn(saved.error().message);
      }
    }
  }
  probed.warning = std::move(warning);
  return probed;
}

}  // namespace bitfetch
