// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_PREFETCH_LAW_H_
#define BITFETCH_PREFETCH_LAW_H_

#include <cstdint>
#include <limits>

#include "base/memory.h"
#include "machine/profile.h"

namespace bitfetch {

// How a kernel walks its data: the other half of what the law goes by.
struct PrefetchAccess {
  static constexpr int64_t kNever = std::numeric_limits<int64_t>::max();

  int64_t tile_bytes = 8 << 10;      // contiguous, and walked in address order
  double hot_bytes_per_s = 16e9;     // one thread's rate on data in L1
  int64_t run_bytes = kNever;        // contiguous bytes before a jump to another place
  PageSize pages = PageSize::kHuge;  // what the data really sits on
  int threads = 1;                   // that read at once
  int64_t working_set_bytes = 0;     // what the kernel itself keeps in L1
  int max_streams = 1;               // that the kernel can walk in turn
  int64_t revisit_bytes = kNever;    // read by all threads between two visits to the same place
};

enum class PrefetchHint { kL1, kL2 };

// What a kernel shall do. It walks `streams` tiles in turn, a line of each, and has requested
// `distance_bytes` more than it has used, of all streams together: so it is
// max(1, distance_bytes / (64 * streams)) lines ahead in each. A distance may exceed the data.
struct PrefetchPlan {
  bool on = false;
  int64_t distance_bytes = 0;  // whole lines, as many in each stream; 0 when off
  int streams = 1;             // 1 when off
  PrefetchHint hint = PrefetchHint::kL1;

  bool operator==(const PrefetchPlan&) const = default;
};

// The law: docs/prefetch.md. Pure. Never fails: a profile is taken as ClampProfile makes it, and
// what makes no sense in `access` (not positive, no number) counts as 1 or as no limit. Costs about
// a microsecond: ask once for each kernel and shape, not for each call.
PrefetchPlan ChoosePrefetch(const MachineProfile& profile, const PrefetchAccess& access);

}  // namespace bitfetch

#endif  // BITFETCH_PREFETCH_LAW_H_
