// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_PREFETCH_STREAMS_H_
#define BITFETCH_PREFETCH_STREAMS_H_

#include <vector>

#include "machine/profile.h"
#include "prefetch/law.h"

namespace bitfetch {

// The kernel of the profile that speaks for `access`: itself, or else the one of such data whose
// values are nearest in size, or else what is assumed of such data. The profile is one that
// CheckProfile accepts.
const KernelSpeed& NearestKernel(const MachineProfile& profile, const PrefetchAccess& access);

// What was measured of the kernel on these pages and with as many threads, or else nearest to them.
std::vector<PrefetchGain> NearestGains(const KernelSpeed& kernel, const PrefetchAccess& access);

// Along how many streams and into which cache prefetching pays best, and what it gains.
struct Streams {
  PrefetchHint hint = PrefetchHint::kL2;
  int streams = 1;
  Speedup gain = {};
  double doubt = 1;  // another may be so many times as fast
};

// The law's measured half: what gained most of what this kernel can walk, in NearestGains. Where
// another may be faster than that by more than Race::kEqual, the order was not sure: then what
// gained most into L2, if it may be as fast, for a hint that forgives a wrong distance.
Streams ChooseStreams(const KernelSpeed& kernel, const PrefetchAccess& access);

}  // namespace bitfetch

#endif  // BITFETCH_PREFETCH_STREAMS_H_
