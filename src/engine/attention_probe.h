// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_ENGINE_ATTENTION_PROBE_H_
#define BITFETCH_ENGINE_ATTENTION_PROBE_H_

#include <vector>

#include "kernels/kernels.h"
#include "kv/tile.h"
#include "machine/probe.h"

namespace bitfetch {

// Measures decode attention in the shape of BitNet b1.58 2B4T over cold KV for the machine profile:
// over each of these types, how fast it goes on data in L2, and what it gains by prefetching along
// 1 to 16 streams into L1 and into L2, at the law's own distance, over itself without; in order and
// in shuffled blocks. kTune tries every number of streams, with one thread and with all. Takes what
// time it is given.
KernelProbe AttentionProbe(const Kernels& kernels, ProbeEffort effort,
                           const std::vector<KvTypes>& types);

// The same, over every type, K and V alike.
KernelProbe AttentionProbe(const Kernels& kernels, ProbeEffort effort);

}  // namespace bitfetch

#endif  // BITFETCH_ENGINE_ATTENTION_PROBE_H_
