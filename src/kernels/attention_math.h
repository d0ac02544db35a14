// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_KERNELS_ATTENTION_MATH_H_
#define BITFETCH_KERNELS_ATTENTION_MATH_H_

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/exp2.h"
#include "kernels/kernels.h"

// What every attention kernel does in the same way.
namespace bitfetch {

// Scores, and sums of V whenever they are rescaled, are held within these, so that overflow of huge
// inputs never makes infinity minus infinity, nor infinity times zero.
inline constexpr float kLowest = -3e38f;
inline constexpr float kHighest = 3e38f;

// Sums are rescaled only when the maximum rises by more than this many powers of two: exact all the
// same, and rare.
inline constexpr float kRescaleMargin = 8.0f;

// A NaN (infinity minus infinity within a score) counts as the lowest.
inline float ClampScore(float score) {
  const float low = score > kLowest ? score : kLowest;
  return low < kHighest ? low : kHighest;
}

// A NaN, which only values that are not finite give, stays one.
inline float ClampSum(float sum) { return std::clamp(sum, kLowest, kHighest); }

// Nothing attended to yet.
inline void InitPartial(float* partial, int head_dim) {
  std::fill(partial, partial + head_dim + kPartialSums, 0.0f);
  partial[head_dim + kPartialSums] = -std::numeric_limits<float>::infinity();
}

// What the sums so far and those of one more range are multiplied by when they are folded.
struct FoldFactors {
  float old;
  float range;
};

// Folds a range's maximum and sum of weights into those so far; the sums of V are the caller's.
inline FoldFactors FoldRange(float range_total, const float* partial, int head_dim, float* folded) {
  float& total = folded[head_dim];
  float& max = folded[head_dim + kPartialSums];
  const float range_max = partial[head_dim + kPartialSums];
  const float new_max = std::max(max, range_max);
  const FoldFactors factors{Exp2(max - new_max), Exp2(range_max - new_max)};
  total = std::fma(range_total, factors.range, total * factors.old);
  max = new_max;
  return factors;
}

}  // namespace bitfetch

#endif  // BITFETCH_KERNELS_ATTENTION_MATH_H_
