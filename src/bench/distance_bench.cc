// SPDX-License-Identifier: Apache-2.0
#include "bench/distance_bench.h"

#include <algorithm>
#include <utility>

#include "machine/topology.h"

namespace bitfetch {
namespace {

constexpr int kMinPairs = 31;

// What is measured in turn, and what came of it.
struct DistanceSeries {
  PrefetchSetting prefetch;
  PrefetchPlan plan;
  std::vector<double> speeds;
  std::vector<double> reads;
};

// Off, the sweep, and the law: a set for each streaming read beside it.
std::vector<std::vector<DistanceSeries>> Plan(const DistanceBenchOptions& options,
                                              const PrefetchPlan& law) {
  using Mode = PrefetchSetting::Mode;
  std::vector<std::vector<DistanceSeries>> sets;
  sets.push_back({{{Mode::kOff}, {}, {}, {}}});
  for (const PrefetchHint hint : {PrefetchHint::kL1, PrefetchHint::kL2}) {
    for (const int streams : options.streams) {
      std::vector<DistanceSeries> set;
      for (const int64_t bytes : options.distances) {
        if (bytes % (kLineBytes * streams) != 0) continue;
        set.push_back({{Mode::kBytes, bytes}, {true, bytes, streams, hint}, {}, {}});
      }
      if (!set.empty()) sets.push_back(std::move(set));
    }
  }
  sets.push_back({{{Mode::kAuto}, law, {}, {}}});
  return sets;
}

HeadToHead Compare(PlacedAttention& attention, const PrefetchPlan& law, const PrefetchPlan& best,
                   int pairs) {
  std::vector<double> of_law, of_best;
  for (int pair = 0; pair < pairs; ++pair) {
    // Neither is always the first.
    if (pair % 2 == 0) of_law.push_back(attention.Pass(law));
    of_best.push_back(attention.Pass(best));
    if (pair % 2 == 1) of_law.push_back(attention.Pass(law));
  }
  return {best, SpreadOf(Ratios(of_law, of_best)), pairs};
}

class Sweep {
 public:
  Sweep(const DistanceBenchOptions& options, const AttentionPlace& place,
        PlacedAttention& attention, StreamRead& read, const PrefetchPlan& law)
      : options_(options),
        place_(place),
        attention_(attention),
        read_(read),
        law_(law),
        sets_(Plan(options, law)) {}

  // `on_round` hears that one of the rounds, `repeats` in all, is done.
  std::vector<DistanceBenchRow> Run(const std::function<void()>& on_round) {
    for (int repeat = 0; repeat < options_.repeats; ++repeat) {
      for (std::vector<DistanceSeries>& set : sets_) Round(set, repeat);
      on_round();
    }
    std::vector<DistanceBenchRow> rows;
    for (const std::vector<DistanceSeries>& set : sets_) {
      for (const DistanceSeries& series : set) rows.push_back(Row(series));
    }
    const auto speed = [](const DistanceBenchRow& row) { return row.gb_per_s.median; };
    const auto best = std::ranges::max_element(rows.begin(), rows.end() - 1, {}, speed);
    rows.back().head_to_head =
        Compare(attention_, law_, best->plan, std::max(options_.repeats, kMinPairs));
    return rows;
  }

 private:
  void Round(std::vector<DistanceSeries>& set, int repeat) {
    const double read = read_.Once();
    attention_.Pass(set[0].plan);  // none that counts is the first after the streaming read
    for (size_t i = 0; i < set.size(); ++i) {
      DistanceSeries& series = set[(i + repeat) % set.size()];
      series.speeds.push_back(attention_.Pass(series.plan));
      series.reads.push_back(read);
    }
  }

  DistanceBenchRow Row(const DistanceSeries& series) const {
    return {.place = place_,
            .prefetch = series.prefetch,
            .plan = series.plan,
            .gb_per_s = SpreadOf(series.speeds),
            .read_gb_per_s = SpreadOf(series.reads),
            .fraction = SpreadOf(Ratios(series.speeds, series.reads)),
            .head_to_head = std::nullopt,
            .repeats = options_.repeats};
  }

  const DistanceBenchOptions& options_;
  const AttentionPlace& place_;
  PlacedAttention& attention_;
  StreamRead& read_;
  PrefetchPlan law_;
  std::vector<std::vector<DistanceSeries>> sets_;
};

Status CheckOptions(const DistanceBenchOptions& options) {
  BITFETCH_RETURN_IF_ERROR(CheckPlaces(options.places));
  if (options.repeats < 1) return Fail("{} repeats are too few", options.repeats);
  for (const int64_t bytes : options.distances) {
    if (bytes < 1 || bytes > PrefetchSetting::kMaxBytes) {
      return Fail("a distance of {} bytes is not possible", bytes);
    }
  }
  for (const int streams : options.streams) {
    if (streams < 1 || streams > kMaxStreams) return Fail("{} streams are not possible", streams);
  }
  return {};
}

}  // namespace

Result<std::vector<DistanceBenchRow>> BenchDistance(
    const DistanceBenchOptions& options,
    const std::function<Status(const std::vector<DistanceBenchRow>&)>& on_rows,
    const std::function<void(int64_t done, int64_t total)>& on_pass) {
  BITFETCH_RETURN_IF_ERROR(CheckOptions(options));
  BITFETCH_ASSIGN_OR_RETURN(const Kernels* kernels, ChooseKernels());
  const MachineProfile profile = ProfileForBench(*kernels, options.places.kv_types);
  const int64_t total = options.places.count() * options.repeats;
  int64_t done = 0;
  const auto on_round = [&] {
    ++done;
    if (on_pass) on_pass(done, total);
  };
  std::vector<DistanceBenchRow> rows;
  const auto measure = [&](const AttentionPlace& place, ThreadPool& pool,
                           StreamRead& read) -> Status {
    BITFETCH_ASSIGN_OR_RETURN(
        PlacedAttention attention,
        PlacedAttention::Create(*kernels, pool, options.places.shape, place, read.bytes()));
    const PrefetchPlan law = ChoosePrefetch(profile, attention.access());
    const std::vector<DistanceBenchRow> swept =
        Sweep(options, place, attention, read, law).Run(on_round);
    if (on_rows) BITFETCH_RETURN_IF_ERROR(on_rows(swept));
    rows.insert(rows.end(), swept.begin(), swept.end());
    return {};
  };
  BITFETCH_RETURN_IF_ERROR(ForEachPlace(options.places, measure));
  return rows;
}

}  // namespace bitfetch
