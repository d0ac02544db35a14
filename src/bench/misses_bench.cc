// SPDX-License-Identifier: Apache-2.0
#include "bench/misses_bench.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <memory>
#include <utility>

#include "bench/counters.h"
#include "bench/touch_sampler.h"
#include "bench/watched_attention.h"

namespace bitfetch {
namespace {

// So many passes of each kind to a repeat, in turn: one takes a millisecond or two.
constexpr int kPasses = 16;

// What sampling may cost, which leaves room below the 2 % that were promised. It is measured at the
// densest interval, where it stands out of the noise, in so many repeats.
constexpr double kMaxCost = 0.01;
constexpr int64_t kDensest = 16;
constexpr int kCostRepeats = 5;

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

// Touches of some kind, in all and as a share of those of each repeat.
struct Tally {
  int64_t count = 0;
  std::vector<double> shares = {};

  void Add(int64_t of_repeat, int64_t touches) {
    count += of_repeat;
    shares.push_back(static_cast<double>(of_repeat) / static_cast<double>(touches));
  }
  // The share of all in place of the median, for a repeat has few.
  Spread Of(int64_t touches) const {
    Spread spread = SpreadOf(shares);
    spread.median = static_cast<double>(count) / static_cast<double>(touches);
    return spread;
  }
};

// What came of one setting.
struct MissesSeries {
  PrefetchSetting prefetch;
  PrefetchPlan plan;
  std::vector<TouchSampler> samplers = {};               // [threads]
  std::vector<std::unique_ptr<Counters>> counters = {};  // [threads], or none
  std::vector<double> touches_ns = {};
  Tally dram = {};
  Tally late = {};
  std::vector<double> costs = {};
  int64_t counted_passes = 0;

  int64_t touches() const { return static_cast<int64_t>(touches_ns.size()); }
};

// One place.
class Place {
 public:
  Place(const MissesBenchOptions& options, const AttentionPlace& place, ThreadPool& pool,
        PlacedAttention& attention)
      : options_(options), place_(place), pool_(pool), attention_(attention) {}

  std::vector<MissesBenchRow> Measure(const Kernels& kernels, const MachineProfile& profile,
                                      const ColdBuffer& cold) {
    Result<LoadTimes> times =
        kernels.isa == Isa::kScalar
            ? Result<LoadTimes>(Fail("the scalar kernels don't show which lines they load"))
            : MeasureLoadTimes(profile, cold);
    Status countable;
    for (const PrefetchSetting& setting : options_.prefetch) {
      MissesSeries& one = series_.emplace_back(
          MissesSeries{setting, ResolvePrefetch(setting, profile, attention_.access())});
      auto counters = OpenCounters(pool_);
      if (counters) {
        one.counters = std::move(*counters);
      } else {
        countable = tl::unexpected(counters.error());
      }
    }
    if (times) ChooseInterval();
    for (int repeat = 0; repeat < options_.repeats; ++repeat) {
      for (size_t i = 0; i < series_.size(); ++i) {
        Repeat(times, series_[(i + repeat) % series_.size()]);
      }
    }

    const size_t off =
        std::ranges::find(options_.prefetch, PrefetchSetting::Mode::kOff, &PrefetchSetting::mode) -
        options_.prefetch.begin();
    std::vector<MissesBenchRow> rows;
    for (MissesSeries& one : series_) {
      MissesBenchRow row{
          place_,          one.prefetch, one.plan, tl::unexpected(Error{}), Counted(one, countable),
          options_.repeats};
      if (times) {
        row.touches = Shares(*times, one);
        if (row.touches && off < series_.size()) {
          row.touches->fewer = Fewer(series_[off], one);
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

  // One for all settings: what the most expensive of them needs.
  void ChooseInterval() {
    double cost = 0;
    for (MissesSeries& one : series_) {
      SampleEvery(kDensest, one);
      std::vector<double> costs;
      for (int i = 0; i < kCostRepeats; ++i) costs.push_back(SamplingCost(one));
      cost = std::max(cost, SpreadOf(costs).median);
    }
    interval_ = std::max<int64_t>(kDensest, std::llround(kDensest * cost / kMaxCost));
    for (MissesSeries& one : series_) SampleEvery(interval_, one);
  }

  void SampleEvery(int64_t interval, MissesSeries& one) {
    one.samplers.clear();
    for (int thread = 0; thread < pool_.threads(); ++thread) {
      one.samplers.emplace_back(interval, 1 + thread);
    }
  }

  // Of kPasses with it over as many without, in turn, less 1.
  double SamplingCost(MissesSeries& one) {
    double plain_ns = 0;
    double sampled_ns = 0;
    for (int pass = 0; pass < kPasses; ++pass) {
      const bool sampled_first = pass % 2 == 1;
      for (const bool sampled : {sampled_first, !sampled_first}) {
        (sampled ? sampled_ns : plain_ns) += 1 / Pass(one, sampled, /*counted=*/false);
      }
    }
    return sampled_ns / plain_ns - 1;
  }

  void Repeat(const Result<LoadTimes>& times, MissesSeries& one) {
    for (int pass = 0; pass < kPasses && !one.counters.empty(); ++pass) {
      Pass(one, /*sampled=*/false, /*counted=*/true);
      ++one.counted_passes;
    }
    if (!times) return;
    one.costs.push_back(SamplingCost(one));
    const int64_t before = one.touches();
    int64_t dram = 0;
    int64_t late = 0;
    for (TouchSampler& sampler : one.samplers) {
      for (const TimedLoad& load : sampler.loads()) {
        const double ns = static_cast<double>(load.load) * times->ns_per_tick;
        const double before_ns = static_cast<double>(load.before) * times->ns_per_tick;
        one.touches_ns.push_back(ns);
        if (ns >= times->DramBorderNs()) ++dram;
        if (before_ns + ns >= times->DramBorderNs()) ++late;
      }
      sampler.Clear();
    }
    const int64_t touches = one.touches() - before;
    if (touches == 0) return;
    one.dram.Add(dram, touches);
    one.late.Add(late, touches);
  }

  double Pass(MissesSeries& one, bool sampled, bool counted) {
    std::vector<AttentionMeter> meters(pool_.threads());
    for (int thread = 0; thread < pool_.threads(); ++thread) {
      if (sampled) {
        one.samplers[thread].Resume();
        meters[thread].touches = &one.samplers[thread];
      }
      if (counted) meters[thread].counters = one.counters[thread].get();
    }
    WatchAttention(pool_, meters);
    const double gb_per_s = attention_.Pass(one.plan);
    WatchAttention(pool_, {});
    return gb_per_s;
  }

  static std::optional<Spread> Fewer(const MissesSeries& off, const MissesSeries& one) {
    if (off.dram.count == 0 || one.dram.count == 0) return std::nullopt;
    if (&off == &one) return Spread{1, 1, 1};
    return RatioOfShares(off.dram.count, off.touches(), one.dram.count, one.touches());
  }

  Result<TouchShares> Shares(const LoadTimes& times, const MissesSeries& one) const {
    if (one.dram.shares.empty()) {
      return Fail("no line was timed: {} tokens are too few, or repeats", place_.n_kv);
    }
    TouchShares shares;
    shares.times = times;
    shares.in_chunks = static_cast<double>(interval_);
    shares.touches = one.touches();
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
    shares.dram_share = one.dram.Of(shares.touches);
    shares.late_share = one.late.Of(shares.touches);
    shares.cost = SpreadOf(one.costs);
    return shares;
  }

  Result<std::vector<CountedEvent>> Counted(const MissesSeries& one,
                                            const Status& countable) const {
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
  PlacedAttention& attention_;
  std::vector<MissesSeries> series_;
  int64_t interval_ = 1;
};

}  // namespace

Status BenchMisses(
    const MissesBenchOptions& options,
    const std::function<Status(const MissesBenchRow&, int64_t done, int64_t total)>& on_row) {
  if (options.repeats < 1) return Fail("{} repeats are too few", options.repeats);
  BITFETCH_RETURN_IF_ERROR(CheckPlaces(options.places));
  BITFETCH_ASSIGN_OR_RETURN(const Kernels* kernels, ChooseKernels());
  const Kernels watched = WatchedKernels(*kernels);
  const MachineProfile profile = ProfileForBench(*kernels, options.places.kv_types);
  const int64_t total = options.places.count() * static_cast<int64_t>(options.prefetch.size());
  int64_t done = 0;
  return ForEachPlace(
      options.places,
      [&](const AttentionPlace& place, ThreadPool& pool, StreamRead& read) -> Status {
        BITFETCH_ASSIGN_OR_RETURN(
            PlacedAttention attention,
            PlacedAttention::Create(watched, pool, options.places.shape, place, read.bytes()));
        for (const MissesBenchRow& row :
             Place(options, place, pool, attention).Measure(*kernels, profile, read.buffer())) {
          BITFETCH_RETURN_IF_ERROR(on_row(row, ++done, total));
        }
        return {};
      });
}

}  // namespace bitfetch
