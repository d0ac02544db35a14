// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_BENCH_DISTANCE_BENCH_H_
#define BITFETCH_BENCH_DISTANCE_BENCH_H_

#include <cstdint>
#include <functional>
#include <vector>

#include "base/error.h"
#include "bench/attention_places.h"
#include "bench/distance_sweep.h"
#include "kernels/weights_access.h"

namespace bitfetch {

// How good the law's choice is: decode attention in each place, or where there are some the
// products of a token with weights of these kinds, on the places' threads and pages.
struct DistanceBenchOptions {
  AttentionPlaces places;
  std::vector<WeightsKind> weights;
  DistanceSweep sweep;

  int64_t count() const;  // of sweeps
};

// What was swept: attention in a place, or weights with its threads and on its pages.
struct DistanceBenchRow : SweptPlan {
  AttentionPlace place;
  std::optional<WeightsKind> weights;
};

// `on_rows` hears of the rows of a sweep when they are done (an error of its own ends the
// benchmark), `on_pass` now and then of how much of all is. Errors: as ForEachPlace.
Result<std::vector<DistanceBenchRow>> BenchDistance(
    const DistanceBenchOptions& options,
    const std::function<Status(const std::vector<DistanceBenchRow>&)>& on_rows,
    const std::function<void(int64_t done, int64_t total)>& on_pass);

}  // namespace bitfetch

#endif  // BITFETCH_BENCH_DISTANCE_BENCH_H_
