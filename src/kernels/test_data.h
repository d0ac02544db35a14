// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_KERNELS_TEST_DATA_H_
#define BITFETCH_KERNELS_TEST_DATA_H_

#include <cstdint>
#include <cstring>
#include <random>
#include <vector>

// For tests: data, and comparing bits.
namespace bitfetch {

inline std::vector<float> RandomFloats(int64_t count, std::mt19937& random, float scale = 1.0f) {
  std::normal_distribution<float> normal;
  std::vector<float> floats(count);
  for (float& value : floats) value = scale * normal(random);
  return floats;
}

template <class T>
bool SameBits(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0;
}

}  // namespace bitfetch

#endif  // BITFETCH_KERNELS_TEST_DATA_H_
