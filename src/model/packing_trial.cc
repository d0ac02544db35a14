// SPDX-License-Identifier: Apache-2.0
#include "model/packing_trial.h"

#include <algorithm>
#include <limits>
#include <vector>

#include "kernels/ternary_fives.h"
#include "machine/clock.h"
#include "model/products.h"

namespace bitfetch {
namespace {

constexpr int kPasses = 16;  // half of them with each packing

double Time(const TernaryRows& matrix, const QuantizedRows& token, float* out,
            const Kernels& kernels, ThreadPool& pool) {
  const Product product{.weights = matrix, .norm = {}, .out = out};
  const double start = NowNs();
  pool.ParallelRuns(matrix.rows, RowsTogether(product), [&](int64_t begin, int64_t end, int) {
    kernels.ternary_matmul(matrix, begin, end, token, out, matrix.rows);
  });
  return NowNs() - start;
}

}  // namespace

PackingTrial TryPackings(std::span<const TernaryRows> matrices, const WeightsPlans& plans,
                         const Kernels& kernels, ThreadPool& pool) {
  int64_t max_rows = 0, max_cols = 0;
  for (const TernaryRows& matrix : matrices) {
    max_rows = std::max(max_rows, matrix.rows);
    max_cols = std::max(max_cols, matrix.cols);
  }
  const int64_t stride = Steps(max_cols, kTernaryPack) * kTernaryPack;
  const std::vector<int8_t> zeros(stride);
  const int32_t sum = 0;
  const float scale = 0;
  const QuantizedRows token{zeros.data(), &sum, &scale, 1, stride};
  std::vector<float> out(max_rows);

  struct Best {
    double ns[2] = {std::numeric_limits<double>::infinity(),
                    std::numeric_limits<double>::infinity()};  // fours, fives
  };
  std::vector<Best> bests(matrices.size());
  for (int pass = 0; pass < kPasses; ++pass) {
    for (size_t i = 0; i < matrices.size(); ++i) {
      const bool fives = (pass + i) % 2 == 1;
      TernaryRows rows = fives ? AsFives(matrices[i], matrices[i].codes) : matrices[i];
      rows.prefetch = fives ? plans.fives : plans.fours;
      double& best = bests[i].ns[fives ? 1 : 0];
      best = std::min(best, Time(rows, token, out.data(), kernels, pool));
    }
  }
  PackingTrial trial;
  for (const Best& best : bests) {
    trial.fours_ns += best.ns[0];
    trial.fives_ns += best.ns[1];
  }
  return trial;
}

}  // namespace bitfetch
