// SPDX-License-Identifier: Apache-2.0
#include "model/products.h"

#include <algorithm>

#include "base/finite.h"

namespace bitfetch {
namespace {

int64_t PadToBlock(int64_t cols) { return Runs(cols, kTernaryPack) * kTernaryPack; }

// The first product that reads the same as number i.
size_t FirstWithInputOf(std::span<const Product> products, size_t i) {
  if (!products[i].norm.empty()) return i;
  size_t first = 0;
  while (!products[first].norm.empty()) ++first;
  return first;
}

}  // namespace

// A few tokens take as long as reading the weights, and the longer the run, the better the
// prefetchers do: four to a thread, so that one which the system keeps waiting leaves the rest to
// others. More tokens compute for longer than they read.
int64_t ProductRowsAtATime(int64_t rows, int64_t tokens, int threads) {
  constexpr int64_t kFew = 4;
  constexpr int64_t kOfABatch = 128;
  constexpr int64_t kRunsOfAThread = 4;
  constexpr int64_t kTogether = 4;  // rows that the kernels take at once
  if (tokens > kFew) return kOfABatch;
  return Runs(Runs(rows, kRunsOfAThread * threads), kTogether) * kTogether;
}

void Products::Quantize(const float* x, int64_t tokens, std::span<const float> norm,
                        std::span<Product> products, std::span<uint8_t> finite) {
  const int64_t cols = products[0].weights.cols;
  const int64_t stride = PadToBlock(cols);
  normed_.resize(tokens * cols);
  own_normed_.resize(tokens * cols);
  for (size_t i = 0; i < products.size(); ++i) {
    Input& input = inputs_[FirstWithInputOf(products, i)];
    input.values.resize(tokens * stride);
    input.sums.resize(tokens);
    input.scales.resize(tokens);
    products[i].input = {input.values.data(), input.sums.data(), input.scales.data(), tokens,
                         stride};
  }
  const auto normed = [&](const float* row, std::span<const float> by, float* out) -> const float* {
    if (by.empty()) return row;
    kernels_.rms_norm(row, by.data(), cols, rms_epsilon_, out);
    return out;
  };
  pool_.ParallelFor(tokens, [&](int64_t t, int) {
    const float* of_all = normed(x + t * cols, norm, normed_.data() + t * cols);
    for (size_t i = 0; i < products.size(); ++i) {
      if (FirstWithInputOf(products, i) != i) continue;
      const float* own = normed(of_all, products[i].norm, own_normed_.data() + t * cols);
      if (!AllFinite(std::span(own, cols))) finite[t] = false;
      Input& input = inputs_[i];
      kernels_.quantize(own, cols, stride, input.values.data() + t * stride, &input.sums[t],
                        &input.scales[t]);
    }
  });
}

void Products::Multiply(std::span<const Product> products, FunctionRef<void(int)> fetch) const {
  const auto at_a_time = [&](const Product& product) {
    return ProductRowsAtATime(product.weights.rows, product.input.tokens, pool_.threads());
  };
  const auto runs_of = [&](const Product& product) {
    return Runs(product.weights.rows, at_a_time(product));
  };
  int64_t runs = 0;
  for (const Product& product : products) runs += runs_of(product);
  pool_.ParallelFor(runs, [&](int64_t run, int thread) {
    const Product* product = products.data();
    while (run >= runs_of(*product)) run -= runs_of(*product++);
    const int64_t begin = run * at_a_time(*product);
    const int64_t end = std::min(begin + at_a_time(*product), product->weights.rows);
    const int64_t step = product->fetches ? kRowsAStep : end - begin;
    for (int64_t row = begin; row < end; row += step) {
      MultiplyRows(*product, row, std::min(row + step, end));
      if (product->fetches) fetch(thread);
    }
  });
}

}  // namespace bitfetch
