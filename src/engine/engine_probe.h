// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_ENGINE_ENGINE_PROBE_H_
#define BITFETCH_ENGINE_ENGINE_PROBE_H_

#include <vector>

#include "kernels/kernels.h"
#include "kv/tile.h"
#include "machine/probe.h"

namespace bitfetch {

// Measures for the machine profile what a token reads, cold and in the shape of BitNet b1.58 2B4T:
// weights of each kind, and decode attention over each of these types. How fast each goes on data
// in L2, and what it gains by prefetching into L1 and into L2, at the law's own distance, over
// itself without; attention along 1 to 16 streams, in order and in shuffled blocks, weights along 1
// to 4. kTune tries every number of streams, with one thread and with all. Takes what time it is
// given.
KernelProbe EngineProbe(const Kernels& kernels, ProbeEffort effort,
                        const std::vector<KvTypes>& types);

// The same, over every type, K and V alike.
KernelProbe EngineProbe(const Kernels& kernels, ProbeEffort effort);

}  // namespace bitfetch

#endif  // BITFETCH_ENGINE_ENGINE_PROBE_H_
