// SPDX-License-Identifier: Apache-2.0
#include "machine/race.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace bitfetch {
namespace {

constexpr double kDoubt = 1.0 / 64;
constexpr double kNone = std::numeric_limits<double>::infinity();

// The rank k, counted from 1, such that the k-th least of n values is above the true median with a
// probability of at most kDoubt; 0 if even the least may be.
int SureRank(int n) {
  double exactly = std::pow(0.5, n);  // so many of them below the median
  double at_most = exactly;
  int k = 0;
  while (at_most <= kDoubt) {
    ++k;
    exactly *= static_cast<double>(n - k + 1) / k;
    at_most += exactly;
  }
  return k;
}

double LowerQuartile(std::vector<double> values) {
  const auto at = values.begin() + static_cast<int64_t>(values.size() / 4);
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

}  // namespace

Race::Race(int candidates)
    : in_(candidates),
      heat_(candidates, kNone),
      costs_(candidates),
      speeds_(candidates, {1, 1 / kFar, kFar}) {
  std::iota(in_.begin(), in_.end(), 0);
}

void Race::Add(double cost) {
  double& shorter = heat_[next()];
  if (cost > 0) shorter = std::min(shorter, cost);
  if (++turn_ < in_.size()) return;
  turn_ = 0;
  ++round_;
  if (between_heats()) EndHeat();
}

void Race::Run(FunctionRef<double(int)> look, FunctionRef<bool()> late) {
  while (!over() && !late()) Add(look(next()));
}

void Race::EndHeat() {
  ++heats_run_;
  if (std::ranges::none_of(in_, [&](int each) { return heat_[each] == kNone; })) {
    ++heats_;
    for (const int each : in_) costs_[each].push_back(heat_[each]);
    Judge();
  }
  std::ranges::fill(heat_, kNone);
}

void Race::Judge() {
  leader_ =
      *std::ranges::min_element(in_, {}, [&](int each) { return LowerQuartile(costs_[each]); });
  for (const int each : in_) speeds_[each] = Compare(each);
  if (heats_ < kMinHeats) return;
  std::erase_if(in_, [&](int each) { return speeds_[each].max < 1; });
  decided_ = std::ranges::all_of(in_, [&](int each) { return speeds_[each].max <= kEqual; });
}

// With the leader, over all heats, in which both were.
Speedup Race::Compare(int candidate) const {
  if (candidate == leader_) return {};
  std::vector<double> ratios(heats_);
  for (int i = 0; i < heats_; ++i) {
    ratios[i] = std::clamp(costs_[leader_][i] / costs_[candidate][i], 1 / kFar, kFar);
  }
  std::ranges::sort(ratios);
  const double times = std::min(ratios[heats_ / 2], 1.0);
  if (heats_ < kMinHeats) return {times, 1 / kFar, kFar};
  const int rank = SureRank(heats_);
  return {times, std::min(ratios[rank - 1], times), ratios[heats_ - rank]};
}

Speedup Race::Over(int base, int candidate) const {
  const auto within = [](double ratio) { return std::clamp(ratio, 1 / kFar, kFar); };
  const Speedup& slower = speeds_[base];
  const Speedup& speed = speeds_[candidate];
  if (candidate == leader_) {
    return {within(1 / slower.times), within(1 / slower.max), within(1 / slower.min)};
  }
  return {within(speed.times / slower.times), within(speed.min / slower.times),
          within(speed.max / slower.times)};
}

}  // namespace bitfetch
