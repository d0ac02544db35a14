// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_ENGINE_PROBED_KERNEL_H_
#define BITFETCH_ENGINE_PROBED_KERNEL_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "base/memory.h"
#include "base/thread_pool.h"
#include "kernels/kernels.h"
#include "kernels/weights_access.h"
#include "kv/tile.h"
#include "machine/cold_buffer.h"
#include "prefetch/law.h"

namespace bitfetch {

// A kernel that the machine profile knows, on a pool of threads, over memory full of zeros, which
// are as good as any values.
class ProbedKernel {
 public:
  virtual ~ProbedKernel() = default;

  // What the prefetch law is to be asked with, for blocks one after another.
  virtual PrefetchAccess Access(PageSize pages) const = 0;
  // Bytes a second over the first half of so large an L2 of `memory`, again and again.
  virtual double Hot(std::span<const std::byte> memory, int64_t l2_bytes) = 0;
  // One look at cold data: nanoseconds, for the same work each time.
  virtual double Cold(ColdBuffer& buffer, bool shuffled, const PrefetchPlan& plan) = 0;
};

// Decode attention in the shape of BitNet b1.58 2B4T, and the products of a token. The pool and the
// kernels must outlive them.
std::unique_ptr<ProbedKernel> ProbedAttention(const Kernels& kernels, ThreadPool& pool,
                                              KvTypes types);
std::unique_ptr<ProbedKernel> ProbedWeights(const Kernels& kernels, ThreadPool& pool,
                                            WeightsKind kind);

}  // namespace bitfetch

#endif  // BITFETCH_ENGINE_PROBED_KERNEL_H_
