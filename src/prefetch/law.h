// SPDX-License-Identifier: Apache-2.0
// The words of prefetching, which mean the same everywhere:
//   access     how a kernel walks its data: what the law is asked with (PrefetchAccess)
//   plan       what the kernel shall do: the law's answer (PrefetchPlan)
//   setting    what a person asked for: auto, off, or a distance (PrefetchSetting, setting.h)
//   distance   bytes that are requested before they are used, of all streams together
//   streams    tiles that are walked in turn, a line of each
//   hint       the cache that lines are requested into (PrefetchHint, machine/profile.h)
//   gain       measured speed with prefetching over that without (PrefetchGain, likewise)
//   lookahead  what a kernel requests, a distance ahead of itself (Lookahead, kernels/lookahead.h)
//   cursor     what is requested a stage ahead, between other work (PrefetchCursor, cursor.h)
#ifndef BITFETCH_PREFETCH_LAW_H_
#define BITFETCH_PREFETCH_LAW_H_

#include <cstdint>
#include <string>

#include "base/memory.h"
#include "machine/profile.h"

namespace bitfetch {

// How a kernel walks its data: the other half of what the law goes by.
struct PrefetchAccess {
  std::string kernel = {};           // its name in the profile
  double value_bits = 16;            // of a value that it reads, for one that was not measured
  bool paged = false;                // blocks in shuffled places, not one after another
  PageSize pages = PageSize::kHuge;  // what the data sits on
  int threads = 1;                   // that read at once
  KernelData data = KernelData::kKv;
  int64_t run_bytes = 0;          // that a thread reads on end; 0: as good as without end
  int64_t working_set_bytes = 0;  // what the kernel itself keeps in L1
  int max_streams = 1;            // that the kernel can walk in turn
};

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
// what makes no sense in `access` (not positive, no number) counts as 1. Costs some microseconds:
// ask once for each kernel and shape, not for each call.
PrefetchPlan ChoosePrefetch(const MachineProfile& profile, const PrefetchAccess& access);

// The same for a hint and a number of streams that are given, and always on: the law's distance for
// them. With no room in L1 the hint becomes L2; a distance of fewer lines than streams takes fewer
// streams.
PrefetchPlan PlanAlong(const MachineProfile& profile, const PrefetchAccess& access,
                       PrefetchHint hint, int streams);

}  // namespace bitfetch

#endif  // BITFETCH_PREFETCH_LAW_H_
