// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_BENCH_DISTANCE_SWEEP_H_
#define BITFETCH_BENCH_DISTANCE_SWEEP_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "base/error.h"
#include "bench/spread.h"
#include "machine/stream_read.h"
#include "prefetch/law.h"
#include "prefetch/setting.h"

namespace bitfetch {

// What a kernel is measured with beside prefetch off and the law: every combination of these
// distances and streams with both hints. Distances that are not whole lines for each stream are
// left out.
struct DistanceSweep {
  std::vector<int64_t> distances = {64,   128,  256,   512,   1024, 2048,
                                    4096, 8192, 16384, 32768, 65536};  // bytes
  std::vector<int> streams = {1, 2, 4, 8, 16};
  int repeats = 15;
};

// Errors: no repeats, distances beyond PrefetchSetting::kMaxBytes, more than kMaxStreams.
Status CheckSweep(const DistanceSweep& sweep);

// The law's choice against the best that the sweep found, pass by pass.
struct HeadToHead {
  PrefetchPlan best;
  Spread ratio;  // of each pair, the choice's speed over the best one's
  int pairs;
};

struct SweptPlan {
  PrefetchSetting prefetch;  // off, a distance, or auto
  PrefetchPlan plan;
  Spread gb_per_s;                         // read by the kernel
  Spread read_gb_per_s;                    // the best streaming read of the same threads and pages
  Spread fraction;                         // of each pair, the first over the second
  std::optional<HeadToHead> head_to_head;  // of the law's, the last one
  int repeats;
};

// Off, the sweep and the law: passes in turn, each GB/s by a plan, a streaming read beside those of
// the same hint and streams. `on_round` hears that one of the rounds, `repeats` in all, is done.
std::vector<SweptPlan> SweepDistances(const DistanceSweep& sweep, const PrefetchPlan& law,
                                      const std::function<double(const PrefetchPlan&)>& pass,
                                      StreamRead& read, const std::function<void()>& on_round);

}  // namespace bitfetch

#endif  // BITFETCH_BENCH_DISTANCE_SWEEP_H_
