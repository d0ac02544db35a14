// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_MACHINE_SPEEDUP_H_
#define BITFETCH_MACHINE_SPEEDUP_H_

namespace bitfetch {

// How many times as fast something is: as it was measured, and what that surely lies between.
struct Speedup {
  double times = 1;
  double min = times;
  double max = times;
};

}  // namespace bitfetch

#endif  // BITFETCH_MACHINE_SPEEDUP_H_
