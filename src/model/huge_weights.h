// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_MODEL_HUGE_WEIGHTS_H_
#define BITFETCH_MODEL_HUGE_WEIGHTS_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "base/memory.h"
#include "base/thread_pool.h"
#include "kernels/kernels.h"
#include "kernels/weights_access.h"
#include "model/model.h"

namespace bitfetch {

// The ternary weights of a mapped file, moved to huge pages matrix by matrix while tokens are
// computed: a start is as quick as the mapping, and what follows is read faster than the small
// pages of the system's file cache allow (docs/performance.md: by a fifth on Zen 4). Where a token
// is then computed faster, they get five codes in a byte: what was moved first is tried in both
// packings.
class HugeWeights {
 public:
  static constexpr int64_t kWorthwhileBytes = int64_t{16} << 20;  // caches keep what is less

  // Nothing is to be moved if the weights are less than `from_bytes`, if the model's file was read
  // and not mapped, or if memory is short. Moved to `packing`, if one is given. All must outlive
  // it. Kernels are to fetch them as planned.
  HugeWeights(const Model& model, const Kernels& kernels, ThreadPool& pool,
              const WeightsPlans& plans, int64_t from_bytes, std::optional<TernaryPacking> packing);

  // A matrix of the model where it is now, and how to fetch it there.
  TernaryRows Rows(const TernaryMatrix& matrix) const;

  // Moves the next matrices, whole ones, until `bytes` of them have moved, with all threads, and
  // lets go of their pages in the mapping. Ends for good where the system gives no huge pages.
  // Costs a copy and page faults, and once the trial of some milliseconds; returns the bytes moved.
  int64_t Move(int64_t bytes);

  int64_t left() const;  // bytes that are still to be moved; begins again once, if fives are faster

 private:
  int64_t MoveNext();
  TernaryRows Copy(const TernaryRows& fours, uint8_t* to);
  void ChoosePacking();

  const Model& model_;
  const Kernels& kernels_;
  ThreadPool& pool_;
  WeightsPlans plans_;
  std::optional<TernaryPacking> packing_;  // none until they were tried
  size_t trial_bytes_;                     // of the matrices that are tried
  PageBuffer memory_;
  size_t used_ = 0;  // of memory_
  std::vector<const TernaryMatrix*> matrices_;
  size_t next_ = 0;  // of matrices_
  std::unordered_map<const TernaryMatrix*, TernaryRows> moved_;
};

}  // namespace bitfetch

#endif  // BITFETCH_MODEL_HUGE_WEIGHTS_H_
