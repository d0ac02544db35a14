// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_BASE_SAME_BITS_H_
#define BITFETCH_BASE_SAME_BITS_H_

#include <cstring>
#include <vector>

namespace bitfetch {

// For tests.
template <class T>
bool SameBits(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0;
}

}  // namespace bitfetch

#endif  // BITFETCH_BASE_SAME_BITS_H_
