// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_BENCH_RANDOM_FLOATS_H_
#define BITFETCH_BENCH_RANDOM_FLOATS_H_

#include <cstdint>
#include <vector>

#include "text/sampler.h"

namespace bitfetch {

// Evenly over [-1, 1), the same in every run: what benchmarks fill a KV cache with.
inline std::vector<float> RandomFloats(int64_t count) {
  Random random(1);
  std::vector<float> floats(count);
  for (float& value : floats) value = static_cast<float>(2 * random.NextUnit() - 1);
  return floats;
}

}  // namespace bitfetch

#endif  // BITFETCH_BENCH_RANDOM_FLOATS_H_
