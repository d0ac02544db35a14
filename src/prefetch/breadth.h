// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_PREFETCH_BREADTH_H_
#define BITFETCH_PREFETCH_BREADTH_H_

#include "machine/profile.h"
#include "prefetch/law.h"

namespace bitfetch {

// How many streams pay best, and what they gain over no prefetch at all.
struct Breadth {
  int streams = 1;
  double gain = 1;
};

// The law's other half: the breadth that gained most in the profile, of those that the kernel can
// walk. The profile is one that CheckProfile accepts. What was measured in order and in shuffled
// places is weighed by how often `access` jumps.
Breadth ChooseBreadth(const MachineProfile& profile, const PrefetchAccess& access);

}  // namespace bitfetch

#endif  // BITFETCH_PREFETCH_BREADTH_H_
