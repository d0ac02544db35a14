// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_ENGINE_COLD_WEIGHTS_H_
#define BITFETCH_ENGINE_COLD_WEIGHTS_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/memory.h"
#include "base/thread_pool.h"
#include "kernels/kernels.h"
#include "kernels/weights_access.h"

namespace bitfetch {

// Products of one token with weights of one kind, without a model, timed: for the machine profile,
// and for the benchmarks. The matrices are [2560][2560], the smallest stage of BitNet b1.58 2B4T,
// in which a late start weighs most. Whoever uses it sees to it that what it reads is cold, by
// handing over other memory each time; zeros are as good as any weights.
class ColdWeights {
 public:
  // The pool and the kernels must outlive it.
  ColdWeights(const Kernels& kernels, ThreadPool& pool, WeightsKind kind);

  // What the prefetch law is to be asked with.
  PrefetchAccess Access(PageSize pages) const;

  // Multiplies with the matrices that lie one after another in `memory`, a fork and join each, the
  // last one perhaps of fewer rows; returns how many nanoseconds that took.
  double Time(std::span<const std::byte> memory, const PrefetchPlan& plan);
  // The same, in bytes of weights a second.
  double Pass(std::span<const std::byte> memory, const PrefetchPlan& plan);

 private:
  void Multiply(const std::byte* weights, int64_t rows, const PrefetchPlan& plan);

  const Kernels& kernels_;
  ThreadPool& pool_;
  WeightsKind kind_;
  int64_t line_rows_;   // that share bytes
  int64_t line_bytes_;  // of so many
  // The token, as int8 and as the screen takes it; what becomes of it.
  std::vector<int8_t> values_;
  std::vector<int32_t> sums_;
  std::vector<float> scales_;
  std::vector<ScreenColumns> columns_;
  std::vector<float> out_;
  std::vector<int32_t> screened_;
};

}  // namespace bitfetch

#endif  // BITFETCH_ENGINE_COLD_WEIGHTS_H_
