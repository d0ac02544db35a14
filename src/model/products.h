// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_MODEL_PRODUCTS_H_
#define BITFETCH_MODEL_PRODUCTS_H_

#include <array>
#include <cstdint>
#include <span>
#include <variant>
#include <vector>

#include "base/function_ref.h"
#include "base/thread_pool.h"
#include "kernels/kernels.h"
#include "prefetch/instruction.h"

namespace bitfetch {

// In how many steps of `at_a_time` so many rows come.
inline int64_t Steps(int64_t rows, int64_t at_a_time) { return (rows + at_a_time - 1) / at_a_time; }

// As many tokens take as long as reading the weights; more compute for longer than they read.
inline constexpr int64_t kFewTokens = 4;

// How weights are fetched for more: they are multiplied with some tokens at a time, and come from
// L2 for all but the first, of which the law, measured with one token, knows nothing.
inline constexpr PrefetchPlan kManyTokensPrefetch = {
    .on = true, .distance_bytes = 8 << 10, .hint = PrefetchHint::kL1};

// A projection of some rows of activations.
struct Product {
  std::variant<TernaryRows, TernaryGroups> weights;
  std::span<const float> norm;  // [cols] of its input, beside what all are normed by; or empty
  float* out;                   // [tokens][rows]
  bool fetches = false;         // lets its threads fetch ahead between its rows
  // What such weights multiply, by Products::Quantize.
  std::variant<QuantizedRows, QuantizedGroups> input = {};

  int64_t rows() const {
    return std::visit([](const auto& matrix) { return matrix.rows; }, weights);
  }
  int64_t cols() const {
    return std::visit([](const auto& matrix) { return matrix.cols; }, weights);
  }
  int64_t bytes() const {
    return std::visit([](const auto& matrix) { return matrix.bytes(); }, weights);
  }
  bool in_fives() const {
    const auto* ternary = std::get_if<TernaryRows>(&weights);
    return ternary != nullptr && ternary->packing == TernaryPacking::kFives;
  }
};

// Of which what a thread takes (ThreadPool::ParallelRuns) has a whole number: the rows of a strip,
// or as many as share bytes.
inline int64_t RowsTogether(const Product& product) {
  return product.in_fives() ? 5 * kStripRows : kStripRows;
}

// The linear layers of a forward pass: activations become int8, and all threads multiply them with
// ternary weights. Keeps the memory for what is multiplied next.
class Products {
 public:
  static constexpr size_t kMaxTogether = 3;  // of the same activations: Q, K and V
  // Between which a thread fetches what comes after: so many that the streams of a kernel are long,
  // and few enough for it to be no burst, which only stalls; of many tokens as many as kernels take
  // together.
  static int64_t RowsAStep(const Product& product, int64_t tokens);

  Products(const Kernels& kernels, ThreadPool& pool, float rms_epsilon)
      : kernels_(kernels), pool_(pool), rms_epsilon_(rms_epsilon) {}

  // The input of each of `products`, until the next call: x [tokens][cols], normed by `norm` if it
  // isn't empty, and then by the product's own. Those of a kind without one share their input.
  // finite[t] becomes false where what was to become int8 is not.
  void Quantize(const float* x, int64_t tokens, std::span<const float> norm,
                std::span<Product> products, std::span<uint8_t> finite);

  // Computes them in one fork-join; those that fetch call fetch(thread) after each step of rows.
  void Multiply(std::span<const Product> products, FunctionRef<void(int)> fetch) const;
  void Multiply(const Product& product) const {
    Multiply({&product, 1}, [](int) {});
  }
  // Some rows of one of them, in this thread.
  void MultiplyRows(const Product& product, int64_t begin, int64_t end) const;

 private:
  // So aligned because a row of a tile (kernels/ternary_amx-inl.h) that lies in two lines costs
  // four times as much.
  static constexpr int64_t kLineValues = kCacheLineBytes;
  struct alignas(kLineValues) Line {
    int8_t values[kLineValues];
  };
  // [tokens], and what a token has one of or, for weights by group, one for each kQuantizedGroup
  // columns.
  struct Input {
    int8_t* values() { return reinterpret_cast<int8_t*>(lines.data()); }
    std::vector<Line> lines;  // [padded] of values
    std::vector<int32_t> sums;
    std::vector<float> scales;
  };

  const Kernels& kernels_;
  ThreadPool& pool_;
  float rms_epsilon_;
  int64_t tokens_ = 0;
  std::vector<float> normed_;      // [tokens][cols] by the norm of all
  std::vector<float> own_normed_;  // the same by a product's own
  std::array<Input, kMaxTogether> inputs_;
};

}  // namespace bitfetch

#endif  // BITFETCH_MODEL_PRODUCTS_H_
