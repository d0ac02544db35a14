// SPDX-License-Identifier: Apache-2.0
// What a kernel does with each line of a tile beside reading it. Included once for each ISA.

#if defined(BITFETCH_KERNELS_AHEAD_LINES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef BITFETCH_KERNELS_AHEAD_LINES_INL_H_
#undef BITFETCH_KERNELS_AHEAD_LINES_INL_H_
#else
#define BITFETCH_KERNELS_AHEAD_LINES_INL_H_
#endif

#include <cstddef>

#include "kernels/lookahead.h"

HWY_BEFORE_NAMESPACE();
namespace bitfetch {
namespace HWY_NAMESPACE {

// The kernels' parameter `Lines`, or a type with the same members: what hears of each line before
// the first load from it. Here nothing does, and no code is left of it.
struct QuietLines {
  static constexpr bool kTouch = false;
  static HWY_INLINE void Touch(const void* /*line*/) {}
};

// The lines ahead of the next `kLines` that a kernel reads, which it prefetches one by one.
template <int kLines>
class AheadLines {
 public:
  static_assert(kLines % Lookahead::kSlots == 0);

  // on: else none is.
  HWY_INLINE explicit AheadLines(Lookahead& lookahead, bool on = true)
      : into_(on ? lookahead.into() : FetchInto::kNowhere) {
    if (into_ != FetchInto::kNowhere) slots_ = lookahead.TakeSlots(kLines);
  }

  // The i-th of them; in order.
  HWY_INLINE void Prefetch(int i) {
    if (into_ == FetchInto::kNowhere) return;
    const std::byte*& next = slots_.next[i % Lookahead::kSlots];
    FetchLine(into_, next);
    next += slots_.stride;
  }

 private:
  FetchInto into_;
  Lookahead::Slots slots_ = {};
};

}  // namespace HWY_NAMESPACE
}  // namespace bitfetch
HWY_AFTER_NAMESPACE();

#endif  // BITFETCH_KERNELS_AHEAD_LINES_INL_H_
