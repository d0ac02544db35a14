// SPDX-License-Identifier: Apache-2.0
// The Lines (kernels/ahead_lines-inl.h) of chunks that a sampler watches. Included once for each
// ISA.

#if defined(BITFETCH_BENCH_SHOWN_LINES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef BITFETCH_BENCH_SHOWN_LINES_INL_H_
#undef BITFETCH_BENCH_SHOWN_LINES_INL_H_
#else
#define BITFETCH_BENCH_SHOWN_LINES_INL_H_
#endif

#include "bench/timed_attention.h"
#include "kernels/ahead_lines-inl.h"

HWY_BEFORE_NAMESPACE();
namespace bitfetch {
namespace HWY_NAMESPACE {

struct ShownLines {
  static constexpr bool kTouch = true;
  static HWY_INLINE void Touch(const void* line) { shown_to->Touch(line); }
};

}  // namespace HWY_NAMESPACE
}  // namespace bitfetch
HWY_AFTER_NAMESPACE();

#endif  // BITFETCH_BENCH_SHOWN_LINES_INL_H_
