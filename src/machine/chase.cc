// SPDX-License-Identifier: Apache-2.0
#include "machine/chase.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "machine/clock.h"

namespace bitfetch {
namespace {

template <int kChains>
void Steps(const std::byte* base, uint64_t mask, uint64_t* state, int64_t steps) {
  uint64_t x[kChains];
  std::copy_n(state, kChains, x);
  for (int64_t step = 0; step < steps; ++step) {
    for (int chain = 0; chain < kChains; ++chain) {
      const uint64_t line = LineInChase(x[chain], mask);
      const auto* zero = reinterpret_cast<const volatile uint64_t*>(base + line * 64);
      x[chain] = (NextInChase(x[chain]) + *zero) & mask;
    }
  }
  std::copy_n(x, kChains, state);
}

template <int... kChains>
void Dispatch(std::integer_sequence<int, kChains...>, int chains, const std::byte* base,
              uint64_t mask, uint64_t* state, int64_t steps) {
  ((chains == kChains + 1 ? Steps<kChains + 1>(base, mask, state, steps) : void()), ...);
}

}  // namespace

Chase::Chase(std::span<const std::byte> zeros)
    : base_(zeros.data()), mask_(std::bit_floor(zeros.size() / 64) - 1) {
  for (int chain = 0; chain < kMaxChains; ++chain) {
    state_[chain] = (mask_ / kMaxChains * chain) & mask_;
  }
}

double Chase::Walk(int chains, int64_t steps) {
  const double begin = NowNs();
  Dispatch(std::make_integer_sequence<int, kMaxChains>(), chains, base_, mask_, state_, steps);
  return (NowNs() - begin) / (static_cast<double>(steps) * chains);
}

}  // namespace bitfetch
