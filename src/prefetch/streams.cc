// SPDX-License-Identifier: Apache-2.0
#include "prefetch/streams.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace bitfetch {
namespace {

// How far apart two sizes or counts are, as a ratio; what is no number is far from everything.
double Apart(double a, double b) {
  const double apart = std::abs(std::log(a / b));
  return std::isfinite(apart) ? apart : 1e9;
}

}  // namespace

const KernelSpeed& NearestKernel(const MachineProfile& profile, const PrefetchAccess& access) {
  if (const KernelSpeed* itself = FindKernel(profile, access.kernel)) return *itself;
  const auto apart = [&](const KernelSpeed& kernel) {
    return Apart(kernel.value_bits, access.value_bits);
  };
  return *std::ranges::min_element(profile.kernels, {}, apart);
}

Streams ChooseStreams(const KernelSpeed& kernel, const PrefetchAccess& access) {
  const int threads = std::max(access.threads, 1);
  const auto apart = [&](const PrefetchGain& gain) {
    return std::pair(gain.pages != access.pages, Apart(gain.threads, threads));
  };
  const auto nearest = apart(*std::ranges::min_element(kernel.gains, {}, apart));

  const int max_streams = std::max(access.max_streams, 1);
  Streams best{.streams = 0};
  Streams narrowest{.streams = 0};
  for (const PrefetchGain& gain : kernel.gains) {
    if (apart(gain) != nearest) continue;
    const Streams each{gain.hint, gain.streams, access.paged ? gain.paged : gain.contiguous};
    if (narrowest.streams == 0 || each.streams < narrowest.streams) narrowest = each;
    if (each.streams > max_streams) continue;
    if (best.streams == 0 || each.gain > best.gain) best = each;
  }
  if (best.streams > 0) return best;
  // Nothing so narrow was measured: the narrowest says most about it.
  narrowest.streams = max_streams;
  return narrowest;
}

}  // namespace bitfetch
