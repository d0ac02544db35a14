// SPDX-License-Identifier: Apache-2.0
#include "model/products.h"

#include <algorithm>

#include "base/finite.h"

namespace bitfetch {
namespace {

bool ByGroup(const Product& product) {
  return std::holds_alternative<TernaryGroups>(product.weights);
}

// Elements that were there before are not zeroed again, as a vector that shrinks and grows would.
template <class T>
T* RoomFor(int64_t count, std::vector<T>& buffer) {
  if (static_cast<int64_t>(buffer.size()) < count) buffer.resize(count);
  return buffer.data();
}

// The first product that reads the same as number i.
size_t FirstWithInputOf(std::span<const Product> products, size_t i) {
  if (!products[i].norm.empty()) return i;
  size_t first = 0;
  while (!products[first].norm.empty() || ByGroup(products[first]) != ByGroup(products[i])) ++first;
  return first;
}

}  // namespace

void Products::Quantize(const float* x, int64_t tokens, std::span<const float> norm,
                        std::span<Product> products, std::span<uint8_t> finite) {
  const int64_t cols = products[0].cols();
  const int64_t stride = Steps(cols, kTernaryPack) * kTernaryPack;
  const int64_t groups = cols / kQuantizedGroup;
  tokens_ = tokens;
  if (!norm.empty()) RoomFor(tokens * cols, normed_);
  for (size_t i = 0; i < products.size(); ++i) {
    if (!products[i].norm.empty()) RoomFor(tokens * cols, own_normed_);
    Input& input = inputs_[FirstWithInputOf(products, i)];
    const bool by_group = ByGroup(products[i]);
    RoomFor(Steps(tokens * stride, kLineValues), input.lines);
    const int32_t* sums = RoomFor(tokens * (by_group ? groups : 1), input.sums);
    const float* scales = RoomFor(tokens * (by_group ? groups : 1), input.scales);
    if (by_group) {
      products[i].input = QuantizedGroups{input.values(), scales, sums, tokens, cols};
    } else {
      products[i].input = QuantizedRows{input.values(), sums, scales, tokens, stride};
    }
  }
  const auto normed = [&](const float* row, std::span<const float> by, std::vector<float>& to,
                          int64_t t) -> const float* {
    if (by.empty()) return row;
    float* const out = to.data() + t * cols;
    kernels_.rms_norm(row, by.data(), cols, rms_epsilon_, out);
    return out;
  };
  pool_.ParallelFor(tokens, [&](int64_t t, int) {
    const float* of_all = normed(x + t * cols, norm, normed_, t);
    for (size_t i = 0; i < products.size(); ++i) {
      if (FirstWithInputOf(products, i) != i) continue;
      const float* own = normed(of_all, products[i].norm, own_normed_, t);
      if (!AllFinite(std::span(own, cols))) finite[t] = false;
      Input& input = inputs_[i];
      if (ByGroup(products[i])) {
        kernels_.quantize_groups(own, cols, input.values() + t * cols,
                                 input.scales.data() + t * groups, input.sums.data() + t * groups);
      } else {
        kernels_.quantize(own, cols, stride, input.values() + t * stride, &input.sums[t],
                          &input.scales[t]);
      }
    }
  });
}

int64_t Products::RowsAStep(const Product& product, int64_t tokens) {
  return tokens > kFewTokens && !product.in_fives() ? 2 * kStripRows : 5 * kStripRows;
}

void Products::Multiply(std::span<const Product> products, FunctionRef<void(int)> fetch) const {
  int64_t units = 0;
  for (const Product& product : products) units += Steps(product.rows(), RowsTogether(product));
  pool_.ParallelRuns(units, 1, [&](int64_t first, int64_t last, int thread) {
    for (const Product& product : products) {
      const int64_t together = RowsTogether(product);
      const int64_t end = std::min(last * together, product.rows());
      const int64_t step = product.fetches ? RowsAStep(product, tokens_) : end;
      for (int64_t row = std::max<int64_t>(first, 0) * together; row < end; row += step) {
        MultiplyRows(product, row, std::min(row + step, end));
        if (product.fetches) fetch(thread);
      }
      first -= Steps(product.rows(), together);
      last -= Steps(product.rows(), together);
    }
  });
}

void Products::MultiplyRows(const Product& product, int64_t begin, int64_t end) const {
  if (const auto* groups = std::get_if<TernaryGroups>(&product.weights)) {
    kernels_.ternary_groups_matmul(*groups, begin, end, std::get<QuantizedGroups>(product.input),
                                   product.out, groups->rows);
  } else {
    const auto& rows = std::get<TernaryRows>(product.weights);
    kernels_.ternary_matmul(rows, begin, end, std::get<QuantizedRows>(product.input), product.out,
                            rows.rows);
  }
}

}  // namespace bitfetch
