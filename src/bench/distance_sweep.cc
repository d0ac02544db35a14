// SPDX-License-Identifier: Apache-2.0
#include "bench/distance_sweep.h"

#include <algorithm>
#include <utility>

#include "kernels/attention.h"
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
std::vector<std::vector<DistanceSeries>> Plan(const DistanceSweep& sweep, const PrefetchPlan& law) {
  using Mode = PrefetchSetting::Mode;
  std::vector<std::vector<DistanceSeries>> sets;
  sets.push_back({{{Mode::kOff}, {}, {}, {}}});
  for (const PrefetchHint hint : {PrefetchHint::kL1, PrefetchHint::kL2}) {
    for (const int streams : sweep.streams) {
      std::vector<DistanceSeries> set;
      for (const int64_t bytes : sweep.distances) {
        if (bytes % (kLineBytes * streams) != 0) continue;
        set.push_back({{Mode::kBytes, bytes}, {true, bytes, streams, hint}, {}, {}});
      }
      if (!set.empty()) sets.push_back(std::move(set));
    }
  }
  sets.push_back({{{Mode::kAuto}, law, {}, {}}});
  return sets;
}

using Pass = std::function<double(const PrefetchPlan&)>;

HeadToHead Compare(const Pass& pass, const PrefetchPlan& law, const PrefetchPlan& best, int pairs) {
  std::vector<double> of_law, of_best;
  for (int pair = 0; pair < pairs; ++pair) {
    // Neither is always the first.
    if (pair % 2 == 0) of_law.push_back(pass(law));
    of_best.push_back(pass(best));
    if (pair % 2 == 1) of_law.push_back(pass(law));
  }
  return {best, SpreadOf(Ratios(of_law, of_best)), pairs};
}

SweptPlan Swept(const DistanceSeries& series) {
  return {.prefetch = series.prefetch,
          .plan = series.plan,
          .gb_per_s = SpreadOf(series.speeds),
          .read_gb_per_s = SpreadOf(series.reads),
          .fraction = SpreadOf(Ratios(series.speeds, series.reads)),
          .head_to_head = std::nullopt,
          .repeats = static_cast<int>(series.speeds.size())};
}

}  // namespace

Status CheckSweep(const DistanceSweep& sweep) {
  if (sweep.repeats < 1) return Fail("{} repeats are too few", sweep.repeats);
  for (const int64_t bytes : sweep.distances) {
    if (bytes < 1 || bytes > PrefetchSetting::kMaxBytes) {
      return Fail("a distance of {} bytes is not possible", bytes);
    }
  }
  for (const int streams : sweep.streams) {
    if (streams < 1 || streams > kMaxStreams) return Fail("{} streams are not possible", streams);
  }
  return {};
}

std::vector<SweptPlan> SweepDistances(const DistanceSweep& sweep, const PrefetchPlan& law,
                                      const Pass& pass, StreamRead& read,
                                      const std::function<void()>& on_round) {
  std::vector<std::vector<DistanceSeries>> sets = Plan(sweep, law);
  for (int repeat = 0; repeat < sweep.repeats; ++repeat) {
    for (std::vector<DistanceSeries>& set : sets) {
      const double read_speed = read.Once();
      pass(set[0].plan);  // none that counts is the first after the streaming read
      for (size_t i = 0; i < set.size(); ++i) {
        DistanceSeries& series = set[(i + repeat) % set.size()];
        series.speeds.push_back(pass(series.plan));
        series.reads.push_back(read_speed);
      }
    }
    on_round();
  }
  std::vector<SweptPlan> swept;
  for (const std::vector<DistanceSeries>& set : sets) {
    for (const DistanceSeries& series : set) swept.push_back(Swept(series));
  }
  const auto speed = [](const SweptPlan& each) { return each.gb_per_s.median; };
  const auto best = std::ranges::max_element(swept.begin(), swept.end() - 1, {}, speed);
  swept.back().head_to_head = Compare(pass, law, best->plan, std::max(sweep.repeats, kMinPairs));
  return swept;
}

}  // namespace bitfetch
