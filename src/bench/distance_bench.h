// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_BENCH_DISTANCE_BENCH_H_
#define BITFETCH_BENCH_DISTANCE_BENCH_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "base/error.h"
#include "bench/attention_places.h"
#include "bench/spread.h"
#include "prefetch/setting.h"

namespace bitfetch {

// How good the law's choice is: decode attention in each place with prefetch off, with every
// combination of these distances, streams and both hints, and by the law.
struct DistanceBenchOptions {
  AttentionPlaces places;
  std::vector<int64_t> distances = {64,   128,  256,   512,   1024, 2048,
                                    4096, 8192, 16384, 32768, 65536};  // bytes
  std::vector<int> streams = {1, 2, 4, 8, 16};
  int repeats = 15;
};

// The law's choice against the best that the sweep found, pass by pass.
struct HeadToHead {
  PrefetchPlan best;
  Spread ratio;  // of each pair, the choice's speed over the best one's
  int pairs;
};

struct DistanceBenchRow {
  AttentionPlace place;
  PrefetchSetting prefetch;  // off, a distance, or auto
  PrefetchPlan plan;
  Spread gb_per_s;                         // KV bytes read by attention
  Spread read_gb_per_s;                    // the best streaming read of the same threads and pages
  Spread fraction;                         // of each pair, the first over the second
  std::optional<HeadToHead> head_to_head;  // of the law's row, the last one of a place
  int repeats;
};

// The passes of a place are measured in turn, a streaming read beside those of the same hint and
// streams. Distances that are not whole lines for each stream are left out. `on_rows` hears of a
// place's rows when they are done (an error of its own ends the benchmark), `on_pass` now and then
// of how much of all is. Errors: as ForEachPlace.
Result<std::vector<DistanceBenchRow>> BenchDistance(
    const DistanceBenchOptions& options,
    const std::function<Status(const std::vector<DistanceBenchRow>&)>& on_rows,
    const std::function<void(int64_t done, int64_t total)>& on_pass);

}  // namespace bitfetch

#endif  // BITFETCH_BENCH_DISTANCE_BENCH_H_
