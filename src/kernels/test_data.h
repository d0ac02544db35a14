// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_KERNELS_TEST_DATA_H_
#define BITFETCH_KERNELS_TEST_DATA_H_

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "kernels/kernels.h"

// For tests: every ISA, data, and comparing bits.
namespace bitfetch {

// Calls check(kernels, random) for every ISA, with the same random numbers.
template <class Check>
void OnEveryIsa(const Check& check) {
  for (const Kernels* kernels : SupportedKernels()) {
    SCOPED_TRACE(std::string(IsaName(kernels->isa)));
    std::mt19937 random(11);
    check(*kernels, random);
  }
}

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
