// SPDX-License-Identifier: Apache-2.0
#include "machine/race.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace bitfetch {
namespace {

constexpr size_t kRounds = 3;  // of a heat
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
      behind_(candidates, {1, 1 / kFar, kFar}) {
  std::iota(in_.begin(), in_.end(), 0);
}

void Race::Add(double cost) {
  double& shortest = heat_[next()];
  if (cost > 0) shortest = std::min(shortest, cost);
  if (++turn_ < in_.size()) return;
  turn_ = 0;
  if (++round_ % kRounds == 0) EndHeat();
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
  if (heats_ < kMinHeats) return;
  for (const int each : in_) behind_[each] = Compare(each, leader_);
  std::erase_if(in_, [&](int each) { return behind_[each].min > 1; });
  decided_ = std::ranges::all_of(in_, [&](int each) { return behind_[each].min * kEqual >= 1; });
}

// Over the heats that both were in.
Race::Ratio Race::Compare(int candidate, int other) const {
  std::vector<double> ratios(heats_);
  for (int i = 0; i < heats_; ++i) {
    ratios[i] = std::clamp(costs_[candidate][i] / costs_[other][i], 1 / kFar, kFar);
  }
  std::ranges::sort(ratios);
  const int rank = SureRank(heats_);
  return {ratios[heats_ / 2], ratios[rank - 1], ratios[heats_ - rank]};
}

}  // namespace bitfetch
