// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_PREFETCH_STREAMS_H_
#define BITFETCH_PREFETCH_STREAMS_H_

#include "machine/profile.h"
#include "prefetch/law.h"

namespace bitfetch {

// The kernel of the profile that speaks for `access`: itself, or else the one whose values are
// nearest in size. The profile is one that CheckProfile accepts.
const KernelSpeed& NearestKernel(const MachineProfile& profile, const PrefetchAccess& access);

// Along how many streams and into which cache prefetching pays best, and what it gains.
struct Streams {
  PrefetchHint hint = PrefetchHint::kL2;
  int streams = 1;
  double gain = 1;
};

// The law's measured half: what gained most of what this kernel can walk, on these pages and with
// as many threads, or what was measured nearest to them.
Streams ChooseStreams(const KernelSpeed& kernel, const PrefetchAccess& access);

}  // namespace bitfetch

#endif  // BITFETCH_PREFETCH_STREAMS_H_
