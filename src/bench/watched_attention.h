// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_BENCH_WATCHED_ATTENTION_H_
#define BITFETCH_BENCH_WATCHED_ATTENTION_H_

#include <span>

#include "base/thread_pool.h"
#include "bench/counters.h"
#include "bench/touch_sampler.h"
#include "kernels/kernels.h"

namespace bitfetch {

// What watches a thread while it is in Kernels::attend, and nowhere else.
struct AttentionMeter {
  TouchSampler* touches = nullptr;  // hears of lines now and then, before the first load from each
  Counters* counters = nullptr;
};

// The same kernels, whose attend is watched by the meters of its thread, and gives the same bits.
// Scalar ones show no lines to a sampler.
Kernels WatchedKernels(const Kernels& kernels);

// From now on those threads' meters, [threads], or none. They stay the caller's.
void WatchAttention(ThreadPool& pool, std::span<const AttentionMeter> meters);

}  // namespace bitfetch

#endif  // BITFETCH_BENCH_WATCHED_ATTENTION_H_
