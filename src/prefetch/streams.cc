// SPDX-License-Identifier: Apache-2.0
#include "prefetch/streams.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "machine/race.h"

namespace bitfetch {
namespace {

// How far apart two sizes or counts are, as a ratio; what is no number is far from everything.
double Apart(double a, double b) {
  const double apart = std::abs(std::log(a / b));
  return std::isfinite(apart) ? apart : 1e9;
}

// Without a measurement. On, for rows that are walked in turn lose most without (they had a third
// of the speed on Zen 4); into L2, which forgives a wrong distance.
const KernelSpeed& Assumed(KernelData data) {
  static const KernelSpeed kKv = MachineProfile().kernels.front();
  static const KernelSpeed kWeights = {
      "", 2, 12e9, {{.hint = PrefetchHint::kL2, .contiguous = {1.2}}}, KernelData::kWeights};
  return data == KernelData::kKv ? kKv : kWeights;
}

}  // namespace

const KernelSpeed& NearestKernel(const MachineProfile& profile, const PrefetchAccess& access) {
  if (const KernelSpeed* itself = FindKernel(profile, access.kernel)) return *itself;
  const KernelSpeed* nearest = &Assumed(access.data);
  double apart = std::numeric_limits<double>::infinity();
  for (const KernelSpeed& kernel : profile.kernels) {
    const double of_this = Apart(kernel.value_bits, access.value_bits);
    if (kernel.data != access.data || of_this >= apart) continue;
    nearest = &kernel;
    apart = of_this;
  }
  return *nearest;
}

std::vector<PrefetchGain> NearestGains(const KernelSpeed& kernel, const PrefetchAccess& access) {
  const auto apart = [&](const PrefetchGain& gain) {
    return std::pair(gain.pages != access.pages, Apart(gain.threads, std::max(access.threads, 1)));
  };
  const auto nearest = apart(*std::ranges::min_element(kernel.gains, {}, apart));
  std::vector<PrefetchGain> gains = kernel.gains;
  std::erase_if(gains, [&](const PrefetchGain& gain) { return apart(gain) != nearest; });
  return gains;
}

Streams ChooseStreams(const KernelSpeed& kernel, const PrefetchAccess& access) {
  const int max_streams = std::max(access.max_streams, 1);
  std::vector<Streams> all;
  for (const PrefetchGain& gain : NearestGains(kernel, access)) {
    all.push_back({gain.hint, gain.streams, access.paged ? gain.paged : gain.contiguous});
  }
  const Streams narrowest = *std::ranges::min_element(all, {}, &Streams::streams);
  std::erase_if(all, [&](const Streams& each) { return each.streams > max_streams; });
  // Where nothing so narrow was measured, the narrowest says most about it.
  if (all.empty()) return {narrowest.hint, max_streams, narrowest.gain};

  const auto times = [](const Streams& each) { return each.gain.times; };
  const auto fastest = std::ranges::max_element(all, {}, times);
  const auto doubt = [&](const auto& chosen) {
    double may_be = fastest->gain.times;
    for (auto each = all.begin(); each != all.end(); ++each) {
      if (each != fastest && each != chosen) may_be = std::max(may_be, each->gain.max);
    }
    return std::max(may_be / chosen->gain.times, 1.0);
  };
  auto chosen = fastest;
  if (doubt(fastest) > Race::kEqual) {
    for (auto each = all.begin(); each != all.end(); ++each) {
      if (each->hint != PrefetchHint::kL2 || each->gain.max < fastest->gain.times) continue;
      if (chosen->hint != PrefetchHint::kL2 || times(*each) > times(*chosen)) chosen = each;
    }
  }
  chosen->doubt = doubt(chosen);
  return *chosen;
}

}  // namespace bitfetch
