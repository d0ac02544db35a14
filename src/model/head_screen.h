// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_MODEL_HEAD_SCREEN_H_
#define BITFETCH_MODEL_HEAD_SCREEN_H_

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

// An int8 copy of an output head, that says between which bounds each logit lies: it reads half of
// what an F16 head has. Takes [vocab][hidden, padded to kScreenPack] bytes, and 8 for each row.
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

  // What one token brings to every row.
  struct Input {
    std::vector<int16_t> values;  // x / scale, rounded
    double scale = 0;
    double norm = 0;   // of x
    double slack = 0;  // the part of the bounds' width that no row changes
  };

  // Makes x [hidden] ready. False if nothing can be said of its logits: x is not finite, or so
  // large that a logit might not be.
  bool Prepare(const float* x, Input* input) const;

  // What one look at all bounds reads.
  int64_t bytes() const {
    return static_cast<int64_t>(rows_.size()) * (stride_ + static_cast<int64_t>(sizeof(Row)));
  }

  // A token whose logits are bounded, and where the bounds go, [end - begin] each.
  struct Token {
    const Input* input;
    double* lower;
    double* upper;
  };
  static constexpr size_t kMaxTokens = 16;  // at once

  // For each token lower[r - begin] <= the logit of row r as Kernels::dense_matmul computes it <=
  // upper[r - begin], for rows [begin, end), with one read of them.
  void Bounds(const Kernels& kernels, int64_t begin, int64_t end,
              std::span<const Token> tokens) const;

 private:
  struct Row {
    float scale;     // of its int8 values
    float residual;  // at least the norm of what they leave of the row
  };

  HeadScreen() = default;

  int64_t cols_ = 0;
  int64_t stride_ = 0;
  PageBuffer values_;  // int8 [rows][stride]
  std::vector<Row> rows_;
  double largest_norm_ = 0;      // at least the norm of any row, and of any row's scaled values
  double largest_integers_ = 0;  // at least the norm of any row's int8 values
};

}  // namespace bitfetch

#endif  // BITFETCH_MODEL_HEAD_SCREEN_H_
