// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_MODEL_HEAD_SCREEN_H_
#define BITFETCH_MODEL_HEAD_SCREEN_H_

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/error.h"
#include "base/memory.h"
#include "base/thread_pool.h"
#include "kernels/kernels.h"
#include "model/gguf_reader.h"
#include "model/model.h"

namespace bitfetch {

// The rows of a tensor from `first_row` on, if the kernels read its type directly: F32, F16, BF16.
std::optional<DenseMatrix> DenseRowsOf(const GgufTensor& tensor, int64_t first_row = 0);

// An 8-bit copy of an output head, that says between which bounds each logit lies: from four of the
// bits, and for rows that these leave open from six, and from all eight. Takes [vocab][hidden]
// bytes, a row of four bits padded to whole 128 and of two to whole 256, and 16 for each row.
// docs/output-head.md derives the bounds. Immutable: any number of threads may share one.
class HeadScreen {
 public:
  // A head of so many bytes is worth a copy, if it is F32, F16 or BF16: caches don't keep it.
  static constexpr int64_t kWorthwhileBytes = int64_t{16} << 20;

  // Copies `output` [vocab][hidden], of a type that DenseRowsOf knows, with all threads; costs
  // about as much as reading it and writing the copy. `progress` hears of rows. Errors: a row that
  // is not finite, by the name of the tensor; no memory.
  static Result<HeadScreen> Build(const GgufTensor& output, const Kernels& kernels,
                                  ThreadPool& pool, const Progress& progress);

  // Its rows are fetched by this plan, when they are read one after another.
  void SetPrefetch(const PrefetchPlan& plan) {
    for (ScreenRows& plane : planes_) plane.prefetch = plan;
  }

  // What one token brings to every row.
  struct Input {
    std::vector<ScreenColumns> columns;  // x / scale, rounded
    int64_t sum = 0;                     // of those integers
    double scale = 0;
    double norm = 0;         // what a row's residual is multiplied by: of x, and a little more
    double range_error = 0;  // what a row's scale is multiplied by: the integers' error, rounding
    double underflow = 0;
  };

  // Makes x [hidden] ready. False if nothing can be said of its logits: x is not finite, or so
  // large that a logit might not be.
  bool Prepare(const float* x, Input* input) const;

  // What a look at one row reads on a level: of its codes, and on the first what bounds it.
  int64_t row_bytes(int level) const {
    return planes_[level].stride + (level == 0 ? static_cast<int64_t>(sizeof(Row)) : 0);
  }

  // A token whose logits are bounded, from the first row in question on: no logit as
  // Kernels::dense_matmul computes it is farther from `value` than `upper` is.
  struct Token {
    const Input* input;
    double* sums;  // of products with the codes, as far as they are known: integers
    double* value;
    double* upper;
  };
  static constexpr size_t kMaxTokens = 16;  // at once
  // At once, of all tokens together: what is made of them stays in L1.
  static constexpr int64_t kMaxRows = 1024;
  static constexpr int64_t kMaskRows = 64;  // whose bits are together in a mask

  // Sums and bounds from four bits for each token and rows [begin, end), with one read of them.
  void Bounds(const Kernels& kernels, int64_t begin, int64_t end,
              std::span<const Token> tokens) const;

  // Closer ones on level 1 or 2 for one token and those of kMaxRows rows from `begin` on whose bits
  // are set, from its sums on the level before and what this reads, two bits.
  void Refine(const Kernels& kernels, int level, int64_t begin, std::span<const uint64_t> rows,
              const Token& token) const;

 private:
  struct Row {
    float scale;                         // of its codes
    float residuals[kScreenLevelCount];  // at least the norm of what each level leaves of the row
  };

  HeadScreen() = default;
  void BoundRow(int level, int64_t row, const Token& token, int64_t at) const;

  int64_t cols_ = 0;
  PageBuffer codes_;
  std::array<ScreenRows, kScreenLevelCount> planes_;  // what each level adds to the codes
  std::vector<Row> rows_;
  double largest_norm_ = 0;  // at least the norm of any row
};

}  // namespace bitfetch

#endif  // BITFETCH_MODEL_HEAD_SCREEN_H_
