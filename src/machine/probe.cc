// SPDX-License-Identifier: Apache-2.0
#include "machine/probe.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <memory>
#include <utility>
#include <vector>

#include "base/memory.h"
#include "base/thread_pool.h"
#include "machine/chase.h"
#include "machine/clock.h"
#include "machine/cold_buffer.h"
#include "machine/profile_store.h"
#include "machine/stream_read.h"

namespace bitfetch {
namespace {

struct Effort {
  double ms;          // the whole
  double touch_ms;    // of it, to touch the buffer
  size_t caches;      // the buffer's size in last-level caches
  size_t look_bytes;  // of one look at a speed
  int rounds;
  std::vector<int> chains;
  std::vector<int> streams;  // for the gains; 0, which is what they are gains over, goes first
};

Effort EffortOf(ProbeEffort effort) {
  if (effort == ProbeEffort::kQuick) {
    return {125, 60, 3, size_t{8} << 20, 3, {8, 12, 16, 24}, {0, 1, 4, 8}};
  }
  return {2800, 1000, 4, size_t{16} << 20, 9, {4, 8, 12, 16, 20, 24, 28, 32}, {0, 1, 2, 4, 8, 16}};
}

constexpr size_t kMinBytes = size_t{32} << 20;
constexpr size_t kMaxBytes = size_t{2} << 30;
constexpr int64_t kBurst = 512;  // loads: short enough to fall between two interruptions

// One run of the measurements. All of them take the best of several short looks, in turn with what
// they are compared to, because whatever disturbs a look only makes it slower.
class Probe {
 public:
  Probe(const Effort& effort, ThreadPool& pool, ColdBuffer buffer, double deadline,
        MachineProfile& profile)
      : effort_(effort),
        pool_(pool),
        buffer_(std::move(buffer)),
        deadline_(deadline),
        profile_(profile) {}

  // False if time ran out before the end: what was not measured then keeps its default. The chases
  // come first and look at the front half, of which the caches hold nothing after the rest was
  // touched.
  bool Run(bool everything) {
    Chase chase(buffer_.bytes().first(buffer_.size() / 2));
    Latency(chase);
    Misses(chase);
    LoadedLatency(chase);
    for (int threads = 1; threads < pool_.threads(); threads *= 2) Reads(threads, everything);
    Reads(pool_.threads(), everything);
    MissesOfStreams();
    Gains();
    if (everything) SmallPageLatency();
    return !Late();
  }

 private:
  bool Late() const { return NowNs() > deadline_; }

  void Latency(Chase& chase) {
    profile_.latency_ns = BestLatency(chase);
    profile_.latency_4k_ns = profile_.latency_ns * 1.3;  // until, and unless, it is measured
  }

  double BestLatency(Chase& chase) {
    double best = chase.Walk(1, kBurst);
    for (int i = 1; i < 8 * effort_.rounds; ++i) best = std::min(best, chase.Walk(1, kBurst));
    return best;
  }

  // Little's law: what is in flight is what arrives in the time that one takes. Here along random
  // chains, where page walks may be what is full.
  void Misses(Chase& chase) {
    double fastest = profile_.latency_ns;
    for (int round = 0; round < effort_.rounds; ++round) {
      for (int chains : effort_.chains) {
        fastest = std::min(fastest, chase.Walk(chains, kBurst));
      }
    }
    profile_.misses_in_flight = profile_.latency_ns / fastest;
  }

  // The same for the best streaming read.
  void MissesOfStreams() {
    const double lines_per_ns = ReadBytesPerSecond(profile_, 1) / 64 * 1e-9;
    profile_.misses_in_flight =
        std::max(profile_.misses_in_flight, profile_.latency_ns * lines_per_ns);
  }

  // The others stream while this thread chases.
  void LoadedLatency(Chase& chase) {
    if (pool_.threads() == 1) {
      profile_.loaded_latency_ns = profile_.latency_ns;  // nobody else loads the memory
      profile_.jitter_ns = 0;
      return;
    }
    constexpr int kLoads = 4;  // enough for the clock, few enough to see single late ones
    std::vector<double> looks(static_cast<size_t>(effort_.rounds) * 250);
    const auto back = buffer_.bytes().subspan(buffer_.size() / 2);
    std::vector<uint32_t> order(back.size() / kReadTileBytes);
    for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<uint32_t>(i);
    std::atomic<int> streaming{0};
    std::atomic<bool> done{false};
    std::atomic<uint64_t> sum{0};
    pool_.Run([&](int thread) {
      if (thread == 0) {
        while (streaming < pool_.threads() - 1 && !Late()) {
        }
        for (double& look : looks) look = chase.Walk(1, kLoads);
        done = true;
        return;
      }
      ++streaming;
      const size_t each = order.size() / (pool_.threads() - 1);
      const std::span<const uint32_t> mine(order.data() + each * (thread - 1), each);
      for (size_t at = 0; !done && !Late(); at = (at + 64) % std::max<size_t>(each - 63, 1)) {
        sum += ReadTiles(back.data(), mine.subspan(at, std::min<size_t>(64, each)),
                         {.width_bytes = ReadWidths().back()});
      }
    });
    std::sort(looks.begin(), looks.end());
    const double median = looks[looks.size() / 2];
    profile_.loaded_latency_ns = std::max(median, profile_.latency_ns);
    // A look is the mean of several loads, of which each alone varies that much more.
    profile_.jitter_ns = (looks[looks.size() * 9 / 10] - median) * std::sqrt(kLoads);
  }

  size_t LookBytes() const {
    const size_t bytes = std::max(effort_.look_bytes, pool_.threads() * kReadTileBytes * 64);
    return std::min(bytes, buffer_.size());
  }

  // The best of `rounds` looks at each style, in turn; 0 where there was no time for one.
  std::vector<double> BestReads(int threads, bool shuffled, const std::vector<ReadStyle>& styles) {
    std::vector<double> best(styles.size(), 0);
    for (int round = 0; round < effort_.rounds; ++round) {
      for (size_t i = 0; i < styles.size() && !Late(); ++i) {
        const double speed = buffer_.Read(pool_, threads, LookBytes(), shuffled, styles[i]);
        best[i] = std::max(best[i], speed);
      }
    }
    return best;
  }

  void Reads(int threads, bool everything) {
    const int widest = ReadWidths().back();
    std::vector<ReadStyle> styles = ReadStyles();
    if (!everything) {
      std::erase_if(styles, [&](const ReadStyle& style) {
        return style.width_bytes != widest || style.streams == 1 || style.streams == 2;
      });
    }
    const std::vector<double> best = BestReads(threads, /*shuffled=*/false, styles);
    for (size_t i = 0; i < styles.size(); ++i) {
      if (best[i] == 0) continue;
      reads_.push_back({threads, styles[i].width_bytes, styles[i].streams, best[i]});
    }
    if (!reads_.empty()) profile_.reads = reads_;
  }

  void Gains() {
    std::vector<ReadStyle> styles;
    for (int streams : effort_.streams) styles.push_back({.streams = streams, .busy = true});
    const auto contiguous = BestReads(pool_.threads(), /*shuffled=*/false, styles);
    const auto paged = BestReads(pool_.threads(), /*shuffled=*/true, styles);
    std::vector<StreamGain> gains;
    for (size_t i = 1; i < styles.size(); ++i) {
      if (contiguous[i] == 0 || paged[i] == 0) continue;
      gains.push_back({styles[i].streams, contiguous[i] / contiguous[0], paged[i] / paged[0]});
    }
    if (!gains.empty()) profile_.gains = std::move(gains);
  }

  void SmallPageLatency() {
    // Smaller: what counts is that page tables are walked, and 4 KiB pages take long to touch.
    auto small = ColdBuffer::Create(pool_, std::min(buffer_.size(), size_t{128} << 20),
                                    PageSize::k4K, deadline_);
    if (!small || small->size() < kMinBytes) return;
    Chase chase(small->bytes().first(small->size() / 2));
    profile_.latency_4k_ns = std::max(BestLatency(chase), profile_.latency_ns);
  }

  const Effort& effort_;
  ThreadPool& pool_;
  ColdBuffer buffer_;
  double deadline_;
  MachineProfile& profile_;
  std::vector<ReadSpeed> reads_;
};

}  // namespace

Result<Measurement> MeasureMachine(const Topology& topology, ProbeEffort probe_effort) {
  const double begin = NowNs();
  const Effort effort = EffortOf(probe_effort);
  const auto caches = static_cast<size_t>(topology.last_level_bytes);
  const size_t bytes = std::clamp(effort.caches * caches, kMinBytes, kMaxBytes);
  if (bytes < 2 * caches || AvailableMemory() / 2 < static_cast<int64_t>(bytes)) {
    return Fail("no memory to measure with: that takes several times the caches' {} MiB",
                caches >> 20);
  }
  BITFETCH_ASSIGN_OR_RETURN(const auto pool, ThreadPool::Create(topology.threads));
  BITFETCH_ASSIGN_OR_RETURN(ColdBuffer buffer, ColdBuffer::Create(*pool, bytes, PageSize::kHuge,
                                                                  begin + effort.touch_ms * 1e6));
  if (buffer.size() < std::max(2 * caches, kMinBytes)) {
    return Fail("the machine is too busy to measure its memory");
  }

  Measurement measured{DefaultProfile(topology), false};
  MachineProfile& profile = measured.profile;
  const bool tune = probe_effort == ProbeEffort::kTune;
  profile.source = tune ? ProfileSource::kTune : ProfileSource::kQuick;
  profile.huge_pages = buffer.memory().HugeBytes() >= buffer.size() / 2;
  Probe probe(effort, *pool, std::move(buffer), begin + effort.ms * 1e6, profile);
  measured.complete = probe.Run(tune);
  if (const Status sane = CheckProfile(profile); !sane) {
    return Fail("what was measured makes no sense: {}", sane.error().message);
  }
  return measured;
}

ProbedProfile ReadOrMeasureProfile(const Topology& topology, ProbeEffort effort,
                                   std::string_view version) {
  const std::string path = ProfilePath();
  LoadedProfile kept = LoadProfile(path, topology, version);
  if (kept.profile) return {*std::move(kept.profile), ""};
  std::string warning = std::move(kept.warning);
  const auto warn = [&](std::string text) {  // of the first thing that went wrong
    if (warning.empty()) warning = std::move(text);
  };
  ProbedProfile probed{DefaultProfile(topology), ""};
  if (Result<Measurement> measured = MeasureMachine(topology, effort); !measured) {
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
