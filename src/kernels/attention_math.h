// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_KERNELS_ATTENTION_MATH_H_
#define BITFETCH_KERNELS_ATTENTION_MATH_H_

#include <algorithm>
#include <limits>

#include "kernels/kernels.h"

// What every attention kernel does in the same way.
namespace bitfetch {

// Scores are held within these, so that overflow of huge inputs never makes infinity minus
// infinity.
inline constexpr float kLowestScore = -3e38f;
inline constexpr float kHighestScore = 3e38f;

// Sums are rescaled only when the maximum rises by more than this many powers of two: exact all the
// same, and rare.
inline constexpr float kRescaleMargin = 8.0f;

// A NaN (infinity minus infinity within a sum) counts as the lowest score.
inline float ClampScore(float score) {
  const float low = score > kLowestScore ? score : kLowestScore;
  return low < kHighestScore ? low : kHighestScore;
}

// Nothing attended to yet.
inline void InitPartial(float* partial, int head_dim) {
  std::fill(partial, partial + head_dim + kPartialSums, 0.0f);
  partial[head_dim + kPartialSums] = -std::numeric_limits<float>::infinity();
}

}  // namespace bitfetch

#endif  // BITFETCH_KERNELS_ATTENTION_MATH_H_
