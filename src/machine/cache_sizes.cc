// SPDX-License-Identifier: Apache-2.0
#include "machine/cache_sizes.h"

#include <algorithm>
#include <array>

#include "machine/chase.h"
#include "machine/clock.h"

namespace bitfetch {

std::vector<SizeLatency> MeasureLatencies(std::span<const std::byte> zeros, double deadline_ns) {
  constexpr int kLooks = 5;
  std::vector<SizeLatency> latencies;
  for (size_t bytes = 8 << 10; bytes <= zeros.size() && NowNs() < deadline_ns; bytes *= 2) {
    Chase chase(zeros.first(bytes));
    const auto lines = static_cast<int64_t>(bytes / 64);
    chase.OneByOne(lines);  // brings all of them as near as they get
    const int64_t loads = std::clamp<int64_t>(lines / 8, 2048, 16384);
    double best = chase.OneByOne(loads);
    for (int look = 1; look < kLooks; ++look) best = std::min(best, chase.OneByOne(loads));
    latencies.push_back({static_cast<int64_t>(bytes), best});
  }
  return latencies;
}

CacheSizes FindCacheSizes(std::span<const SizeLatency> latencies) {
  // A level takes twice as long as the one before or more; what page walks add, less.
  constexpr double kRise = 1.35;
  std::array<int64_t, 3> ends = {0, 0, 0};
  size_t found = 0;
  bool rising = false;
  for (size_t i = 0; i + 1 < latencies.size(); ++i) {
    const bool rises = latencies[i + 1].ns > latencies[i].ns * kRise;
    if (rises && !rising && found < ends.size()) ends[found++] = latencies[i].bytes;
    rising = rises;
  }
  return {ends[0], ends[1], ends[2]};
}

}  // namespace bitfetch
