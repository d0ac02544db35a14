// SPDX-License-Identifier: Apache-2.0
#include "engine/bench_misses.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <memory>
#include <utility>

#include "kernels/touch_sampler.h"
#include "machine/counters.h"

namespace bitfetch {
namespace {

// So many passes of each kind to a repeat, in turn: one takes a millisecond or two.
constexpr int kPasses = 16;

// What sampling may cost, by an estimate that leaves room below the 2 % that were promised: a line
// is timed alone, after all before it came and before any later one is asked for.
constexpr double kMostCost = 0.01;
constexpr double kLatenciesPerTouch = 10;

constexpr std::array kBinsNs = {
    0.0,   10.0,  20.0,  30.0,  40.0,   60.0,
    80.0,  100.0, 130.0, 160.0, 200.0,  250.0,
    320.0, 400.0, 500.0, 700.0, 1000.0, std::numeric_limits<double>::infinity()};

// Every thread's, opened by itself.
Result<std::vector<std::unique_ptr<Counters>>> OpenCounters(ThreadPool& pool) {
  std::vector<std::unique_ptr<Counters>> counters(pool.threads());
  std::vector<Status> opened(pool.threads());
  pool.Run([&](int thread) {
    auto one = Counters::Open(MissEvents());
    if (one) {
      counters[thread] = std::make_unique<Counters>(std::move(*one));
    } else {
      opened[thread] = tl::unexpected(one.error());
    }
  });
  for (const Status& status : opened) BITFETCH_RETURN_IF_ERROR(status);
  return counters;
}

// What came of one setting.
struct Series {
  PrefetchSetting prefetch;
  PrefetchPlan plan;
  std::vector<TouchSampler> samplers = {};               // [threads]
  std::vector<std::unique_ptr<Counters>> counters = {};  // [threads], or none
  std::vector<double> touches_ns = {};
  std::vector<double> dram_shares = {};  // of each repeat
  int64_t late = 0;
  std::vector<double> costs = {};
  int64_t counted_passes = 0;
};

// One place.
class Place {
 public:
  Place(const MissesBenchOptions& options, const AttentionPlace& place, ThreadPool& pool,
        ColdAttention& attention)
      : options_(options), place_(place), pool_(pool), attention_(attention) {}

  std::vector<MissesBenchRow> Measure(const Kernels& kernels, const MachineProfile& profile,
                                      const ColdBuffer& cold) {
    Result<LoadTimes> times =
        kernels.isa == Isa::kScalar
            ? Result<LoadTimes>(Fail("the scalar kernels don't show which lines they load"))
            : MeasureLoadTimes(profile, cold);
    Status countable;
    for (const PrefetchSetting& setting : options_.prefetch) {
      Series& one = series_.emplace_back(
          Series{setting, ResolvePrefetch(setting, profile, attention_.access())});
      auto counters = OpenCounters(pool_);
      if (counters) {
        one.counters = std::move(*counters);
      } else {
        countable = tl::unexpected(counters.error());
      }
    }
    if (times) ChooseInterval(*times);
    for (int repeat = 0; repeat < options_.repeats; ++repeat) {
      for (size_t i = 0; i < series_.size(); ++i) {
        Repeat(times, series_[(i + repeat) % series_.size()]);
      }
    }

    const size_t off =
        std::ranges::find(options_.prefetch, PrefetchSetting::Mode::kOff, &PrefetchSetting::mode) -
        options_.prefetch.begin();
    std::vector<MissesBenchRow> rows;
    for (Series& one : series_) {
      MissesBenchRow row{
          place_,          one.prefetch, one.plan, tl::unexpected(Error{}), Counted(one, countable),
          options_.repeats};
      if (times) {
        row.touches = Shares(*times, one);
        if (row.touches && off < series_.size()) {
          row.touches->fewer = Fewer(*times, series_[off], one);
        }
      } else {
        row.touches = tl::unexpected(times.error());
      }
      rows.push_back(std::move(row));
    }
    return rows;
  }

 private:
  double BytesPerPass() const { return static_cast<double>(attention_.pass_bytes()); }

  // One for all settings, of which the fastest pays most.
  void ChooseInterval(const LoadTimes& times) {
    double chunk_ns = std::numeric_limits<double>::infinity();
    for (const Series& one : series_) {
      attention_.Pass(one.plan);
      const double bytes = static_cast<double>(attention_.chunk_bytes()) * pool_.threads();
      chunk_ns = std::min(chunk_ns, bytes / attention_.Pass(one.plan));
    }
    const double touch_ns = kLatenciesPerTouch * times.levels.back().ns;
    interval_ = std::max<int64_t>(2, std::llround(touch_ns / (kMostCost * chunk_ns)));
    for (Series& one : series_) {
      for (int thread = 0; thread < pool_.threads(); ++thread) {
        one.samplers.emplace_back(interval_, 1 + thread);
      }
    }
  }

  void Repeat(const Result<LoadTimes>& times, Series& one) {
    double plain_ns = 0;
    double sampled_ns = 0;
    for (int pass = 0; pass < kPasses; ++pass) {
      const bool sampled_first = pass % 2 == 1;
      for (const bool sampled : {sampled_first, !sampled_first}) {
        if (!times) continue;
        (sampled ? sampled_ns : plain_ns) += 1 / Pass(one, sampled, /*counted=*/false);
      }
      if (one.counters.empty()) continue;
      Pass(one, /*sampled=*/false, /*counted=*/true);
      ++one.counted_passes;
    }
    if (!times) return;
    one.costs.push_back(sampled_ns / plain_ns - 1);
    const size_t before = one.touches_ns.size();
    int64_t dram = 0;
    for (TouchSampler& sampler : one.samplers) {
      for (const TimedLoad& load : sampler.loads()) {
        const double ns = static_cast<double>(load.load) * times->ns_per_tick;
        const double before_ns = static_cast<double>(load.before) * times->ns_per_tick;
        one.touches_ns.push_back(ns);
        if (ns >= times->DramBorderNs()) ++dram;
        if (before_ns + ns >= times->DramBorderNs()) ++one.late;
      }
      sampler.Clear();
    }
    const auto touches = static_cast<double>(one.touches_ns.size() - before);
    if (touches > 0) one.dram_shares.push_back(static_cast<double>(dram) / touches);
  }

  double Pass(Series& one, bool sampled, bool counted) {
    std::vector<Attention::Meter> meters(pool_.threads());
    for (int thread = 0; thread < pool_.threads(); ++thread) {
      if (sampled) meters[thread].touches = &one.samplers[thread];
      if (counted) meters[thread].counters = one.counters[thread].get();
    }
    attention_.Watch(meters);
    const double gb_per_s = attention_.Pass(one.plan);
    attention_.Watch({});
    return gb_per_s;
  }

  static double DramShare(const LoadTimes& times, const Series& one) {
    const auto dram = std::ranges::count_if(one.touches_ns,
                                            [&](double ns) { return ns >= times.DramBorderNs(); });
    return static_cast<double>(dram) / static_cast<double>(one.touches_ns.size());
  }

  static std::optional<double> Fewer(const LoadTimes& times, const Series& off, const Series& one) {
    if (DramShare(times, one) == 0) return std::nullopt;
    return DramShare(times, off) / DramShare(times, one);
  }

  Result<TouchShares> Shares(const LoadTimes& times, const Series& one) const {
    if (one.dram_shares.empty()) {
      return Fail("no line was timed: {} tokens are too few, or repeats", place_.n_kv);
    }
    TouchShares shares;
    shares.times = times;
    shares.in_chunks = static_cast<double>(interval_);
    shares.touches = static_cast<int64_t>(one.touches_ns.size());
    shares.level_share.resize(times.levels.size());
    for (size_t i = 0; i + 1 < kBinsNs.size(); ++i) {
      shares.histogram.push_back({kBinsNs[i], kBinsNs[i + 1], 0});
    }
    for (const double ns : one.touches_ns) {
      shares.level_share[times.LevelOf(ns)] += 1 / static_cast<double>(shares.touches);
      ++std::ranges::find_if(shares.histogram, [&](const auto& bin) {
          return ns < bin.to_ns;
        })->touches;
    }
    shares.dram_share = SpreadOf(one.dram_shares);
    shares.dram_share.median = DramShare(times, one);  // of all, for a repeat has few
    shares.late_share = static_cast<double>(one.late) / static_cast<double>(shares.touches);
    shares.cost = SpreadOf(one.costs);
    return shares;
  }

  Result<std::vector<CountedEvent>> Counted(const Series& one, const Status& countable) const {
    BITFETCH_RETURN_IF_ERROR(countable);
    std::vector<CountedEvent> events;
    const double bytes = BytesPerPass() * static_cast<double>(one.counted_passes);
    for (size_t i = 0; i < MissEvents().size(); ++i) {
      std::optional<double> sum = 0;
      for (const auto& counters : one.counters) {
        const std::optional<double> count = counters->Read()[i];
        sum = sum && count ? std::optional(*sum + *count) : std::nullopt;
      }
      if (sum) *sum /= bytes;
      events.push_back({std::string(MissEvents()[i].name), sum});
    }
    return events;
  }

  const MissesBenchOptions& options_;
  const AttentionPlace& place_;
  ThreadPool& pool_;
  ColdAttention& attention_;
  std::vector<Series> series_;
  int64_t interval_ = 1;
};

}  // namespace

Status BenchMisses(
    const MissesBenchOptions& options,
    const std::function<Status(const MissesBenchRow&, int64_t done, int64_t total)>& on_row) {
  if (options.repeats < 1) return Fail("{} repeats are too few", options.repeats);
  BITFETCH_RETURN_IF_ERROR(CheckPlaces(options.places));
  BITFETCH_ASSIGN_OR_RETURN(const Kernels* kernels, ChooseKernels());
  const MachineProfile profile = ProfileForBench(*kernels, options.places.kv_types);
  const int64_t total = options.places.count() * static_cast<int64_t>(options.prefetch.size());
  int64_t done = 0;
  return ForEachPlace(
      options.places,
      [&](const AttentionPlace& place, ThreadPool& pool, StreamRead& read) -> Status {
        BITFETCH_ASSIGN_OR_RETURN(
            ColdAttention attention,
            ColdAttention::Create(*kernels, pool, options.places.shape, place, read.bytes()));
        for (const MissesBenchRow& row :
             Place(options, place, pool, attention).Measure(*kernels, profile, read.buffer())) {
          BITFETCH_RETURN_IF_ERROR(on_row(row, ++done, total));
        }
        return {};
      });
}

}  // namespace bitfetch
