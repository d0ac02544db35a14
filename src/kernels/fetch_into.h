// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_KERNELS_FETCH_INTO_H_
#define BITFETCH_KERNELS_FETCH_INTO_H_

#include <bit>
#include <cstdint>

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

// How a kernel that takes kRows rows at a time, 2^n, deals them to the streams of a plan, of which
// it can have 1, 2, 4 ... kRows: neighbours belong to one.
template <int kRows>
struct RowStreams {
  explicit RowStreams(const PrefetchPlan& plan) {
    while (bits < kBits && 2 << bits <= plan.streams) ++bits;
  }

  int count() const { return 1 << bits; }
  int each() const { return kRows >> bits; }  // rows of a stream at a time
  // Row r of those at hand, where the first streams' rows begin at 0 and those of two `apart`.
  int64_t Row(int r, int64_t apart) const {
    return (r >> (kBits - bits)) * apart + (r & (each() - 1));
  }
  // Lines of these rows in the order in which they are fetched: each stream's in turn.
  int StreamOf(int64_t line) const { return static_cast<int>(line & (count() - 1)); }
  int64_t BytesBefore(int64_t line) const { return (line >> bits) * int64_t{kCacheLineBytes}; }

  static constexpr int kBits = std::countr_zero(unsigned{kRows});
  int bits = 0;
};

}  // namespace bitfetch

#endif  // BITFETCH_KERNELS_FETCH_INTO_H_
