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

// The kernels' parameter `Lines` is one of these, or one with the same members: whether the lines
// ahead are prefetched, and what hears of each line before the first load from it.
struct PlainLines {
  static constexpr bool kFetch = false;
  static constexpr bool kTouch = false;
  using Unfetched = PlainLines;
  static HWY_INLINE void Touch(const void* /*line*/) {}
};
struct FetchedLines : PlainLines {
  static constexpr bool kFetch = true;
};

// The lines ahead of the next `kLines` that a kernel reads, which it prefetches one by one.
template <class Lines, int kLines>
class AheadLines {
 public:
  static_assert(kLines % Lookahead::kSlots == 0);

  HWY_INLINE explicit AheadLines(Lookahead& lookahead) : hint_(lookahead.hint()) {
    if constexpr (Lines::kFetch) slots_ = lookahead.TakeSlots(kLines);
  }

  // The i-th of them; in order.
  HWY_INLINE void Prefetch(int i) {
    if constexpr (Lines::kFetch) {
      const std::byte*& next = slots_.next[i % Lookahead::kSlots];
      Lookahead::Prefetch(hint_, next);
      next += slots_.stride;
    }
  }

 private:
  PrefetchHint hint_;
  Lookahead::Slots slots_;
};

}  // namespace HWY_NAMESPACE
}  // namespace bitfetch
HWY_AFTER_NAMESPACE();

#endif  // BITFETCH_KERNELS_AHEAD_LINES_INL_H_
