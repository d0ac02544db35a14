// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_MACHINE_CHASE_H_
#define BITFETCH_MACHINE_CHASE_H_

#include <cstddef>
#include <cstdint>
#include <span>

namespace bitfetch {

// A full-period linear congruential sequence modulo any power of two (Hull and Dobell 1962: an odd
// increment, a multiplier of 1 mod 4), and the place of each of its numbers: a bijection.
constexpr uint64_t NextInChase(uint64_t state) {
  return state * 0x5851F42D4C957F2D + 0x14057B7EF767814F;
}
constexpr uint64_t LineInChase(uint64_t state, uint64_t mask) {
  return (state ^ (state >> 9)) & mask;
}

// Loads from random lines of a buffer, in an order that no prefetcher guesses. The order is
// computed, so nothing has to be written into the buffer first, and no line returns before all had
// their turn.
class Chase {
 public:
  // `zeros` is touched memory full of zeros, at least 8 KiB; the largest power of two that fits is
  // used. It stays the caller's.
  explicit Chase(std::span<const std::byte> zeros);

  // Both make so many loads and return nanoseconds a load. In the first each address depends on the
  // value loaded before, so that a load takes the memory's latency; in the second none depends on
  // another, so that as many are on their way as the core keeps.
  double OneByOne(int64_t loads);
  double AllAtOnce(int64_t loads);

 private:
  const std::byte* base_;
  uint64_t mask_;
  uint64_t state_ = 0;
};

}  // namespace bitfetch

#endif  // BITFETCH_MACHINE_CHASE_H_
