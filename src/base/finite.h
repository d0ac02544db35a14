// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_BASE_FINITE_H_
#define BITFETCH_BASE_FINITE_H_

#include <bit>
#include <cstdint>
#include <span>

namespace bitfetch {

// Neither infinite nor not a number, all of them.
inline bool AllFinite(std::span<const float> floats) {
  // By exponents: a sum of integers has no order, so the compiler takes many at once.
  constexpr uint32_t kExponent = 0x7f800000;
  uint32_t infinite = 0;
  for (const float value : floats) {
    infinite += (std::bit_cast<uint32_t>(value) & kExponent) == kExponent ? 1 : 0;
  }
  return infinite == 0;
}

}  // namespace bitfetch

#endif  // BITFETCH_BASE_FINITE_H_
