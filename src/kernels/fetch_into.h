// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_KERNELS_FETCH_INTO_H_
#define BITFETCH_KERNELS_FETCH_INTO_H_

#include "prefetch/instruction.h"
#include "prefetch/law.h"

namespace bitfetch {

// Where a kernel prefetches into, by its plan. A branch that seldom changes costs less than kernels
// of their own for each case.
enum class FetchInto { kNowhere, kL1, kL2 };

inline FetchInto IntoOf(const PrefetchPlan& plan) {
  if (!plan.on) return FetchInto::kNowhere;
  return plan.hint == PrefetchHint::kL1 ? FetchInto::kL1 : FetchInto::kL2;
}

[[gnu::always_inline]] inline void FetchLine(FetchInto into, const void* line) {
  if (into == FetchInto::kL1) PrefetchLine(line);
  if (into == FetchInto::kL2) PrefetchLineToL2(line);
}

}  // namespace bitfetch

#endif  // BITFETCH_KERNELS_FETCH_INTO_H_
