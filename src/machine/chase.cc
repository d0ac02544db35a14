// SPDX-License-Identifier: Apache-2.0
#include "machine/chase.h"

#include <bit>

#include "machine/clock.h"

namespace bitfetch {

Chase::Chase(std::span<const std::byte> zeros)
    : base_(zeros.data()), mask_(std::bit_floor(zeros.size() / 64) - 1) {}

double Chase::OneByOne(int64_t loads) {
  uint64_t state = state_;
  const double begin = NowNs();
  for (int64_t i = 0; i < loads; ++i) {
    const uint64_t line = LineInChase(state, mask_);
    const auto* zero = reinterpret_cast<const volatile uint64_t*>(base_ + line * 64);
    state = (NextInChase(state) + *zero) & mask_;
  }
  state_ = state;
  return (NowNs() - begin) / static_cast<double>(loads);
}

double Chase::AllAtOnce(int64_t loads) {
  uint64_t state = state_;
  const double begin = NowNs();
  for (int64_t i = 0; i < loads; ++i) {
    const uint64_t line = LineInChase(state, mask_);
    // Nothing uses the value: what waits for it would fill the core's queues before its misses do.
    static_cast<void>(*reinterpret_cast<const volatile uint64_t*>(base_ + line * 64));
    state = NextInChase(state) & mask_;
  }
  state_ = state;
  return (NowNs() - begin) / static_cast<double>(loads);
}

}  // namespace bitfetch
