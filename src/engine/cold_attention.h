// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_ENGINE_COLD_ATTENTION_H_
#define BITFETCH_ENGINE_COLD_ATTENTION_H_

#include <span>
#include <vector>

#include "base/memory.h"
#include "base/thread_pool.h"
#include "kernels/attention.h"
#include "kv/block_pool.h"
#include "kv/tile.h"

namespace bitfetch {

// Decode attention without a model, timed: for the machine profile, and for the benchmarks. Whoever
// uses it sees to it that what it reads is cold, by handing over other memory each time.
class ColdAttention {
 public:
  // `group` query heads to a KV head. The pool and the kernels must outlive it.
  ColdAttention(const Kernels& kernels, ThreadPool& pool, const KvLayout& layout, int group);

  const KvLayout& layout() const { return layout_; }

  // What the prefetch law is to be asked with, for caches placed like that.
  PrefetchAccess Access(BlockPlacement placement, PageSize pages) const;

  // Attends to each of `caches` with one token; returns how many nanoseconds that took.
  double Time(std::span<const KvView> caches, const PrefetchPlan& plan);
  // The same, in bytes of KV a second.
  double Pass(std::span<const KvView> caches, const PrefetchPlan& plan);

 private:
  KvLayout layout_;
  int group_;
  Isa isa_;
  int threads_;
  Attention attention_;
  std::vector<float> queries_;
  std::vector<float> out_;
};

}  // namespace bitfetch

#endif  // BITFETCH_ENGINE_COLD_ATTENTION_H_
