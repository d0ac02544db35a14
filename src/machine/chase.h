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

// Loads from random lines of a buffer, each address depending on the value loaded before, so that
// what a step takes is the memory's latency and no prefetcher can help. The order is computed, so
// nothing has to be written into the buffer first, and no line returns before all had their turn.
class Chase {
 public:
  static constexpr int kMaxChains = 32;

  // `zeros` is touched memory full of zeros, at least 64 KiB; the largest power of two that fits is
  // used. It stays the caller's.
  explicit Chase(std::span<const std::byte> zeros);

  // Makes `steps` loads along each of `chains` (1..kMaxChains) independent chains at once. Returns
  // nanoseconds a load, of all chains together: with one chain, the latency.
  double Walk(int chains, int64_t steps);

 private:
  const std::byte* base_;
  uint64_t mask_;
  uint64_t state_[kMaxChains];
};

}  // namespace bitfetch

#endif  // BITFETCH_MACHINE_CHASE_H_
