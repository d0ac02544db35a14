// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_BASE_TEST_RANDOM_H_
#define BITFETCH_BASE_TEST_RANDOM_H_

#include <cstdint>
#include <random>
#include <vector>

namespace bitfetch {

// For tests: floats spread about zero much as a normal distribution of variance 1 is. Each is the
// sum of four even ones: std::normal_distribution asks for logarithms in long double, which were
// half of the time of a test with a sanitizer, and on ARM they are emulated.
inline float RandomFloat(std::mt19937& random) {
  int sum = -2 * 0xffff;
  for (int draws = 0; draws < 2; ++draws) {
    const auto bits = static_cast<uint32_t>(random());
    sum += static_cast<int>((bits & 0xffff) + (bits >> 16));
  }
  return static_cast<float>(sum) * (1.7320508f / 0x1p16f);
}

inline std::vector<float> RandomFloats(int64_t count, std::mt19937& random, float scale = 1.0f) {
  std::vector<float> floats(count);
  for (float& value : floats) value = scale * RandomFloat(random);
  return floats;
}

}  // namespace bitfetch

#endif  // BITFETCH_BASE_TEST_RANDOM_H_
