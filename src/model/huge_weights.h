// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_MODEL_HUGE_WEIGHTS_H_
#define BITFETCH_MODEL_HUGE_WEIGHTS_H_

#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "base/memory.h"
#include "base/thread_pool.h"
#include "model/model.h"

namespace bitfetch {

// The ternary weights of a mapped file, moved to huge pages matrix by matrix while tokens are
// computed: a start is as quick as the mapping, and what follows is read faster than the small
// pages of the system's file cache allow (docs/performance.md: by a fifth on Zen 4).
class HugeWeights {
 public:
  static constexpr int64_t kWorthwhileBytes = int64_t{16} << 20;  // caches keep what is less

  // Nothing is to be moved if the weights are less than `from_bytes`, if the model's file was read
  // and not mapped, or if memory is short. Model and pool must outlive it.
  HugeWeights(const Model& model, ThreadPool& pool, int64_t from_bytes);

  // Where the codes of a matrix of the model are now.
  const uint8_t* Codes(const TernaryMatrix& matrix) const;

  // Moves the next matrices, whole ones, until `bytes` of them have moved, with all threads, and
  // lets go of their pages in the mapping. Ends for good where the system gives no huge pages.
  // Costs a copy and page faults; returns the bytes moved.
  int64_t Move(int64_t bytes);

  int64_t left() const;  // bytes that are still to be moved

 private:
  const Model& model_;
  ThreadPool& pool_;
  PageBuffer memory_;
  size_t used_ = 0;  // of memory_
  std::vector<const TernaryMatrix*> matrices_;
  size_t next_ = 0;  // of matrices_
  std::unordered_map<const TernaryMatrix*, const uint8_t*> moved_;
};

}  // namespace bitfetch

#endif  // BITFETCH_MODEL_HUGE_WEIGHTS_H_
