// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_PREFETCH_CURSOR_H_
#define BITFETCH_PREFETCH_CURSOR_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "prefetch/instruction.h"

namespace bitfetch {

// Walks blocks of memory in the order in which attention reads them, and doles their lines out as
// prefetches into L2, a few at a time: `streams` blocks side by side, a line of each in turn, then
// the next `streams`. A burst only stalls, so whoever computes meanwhile calls Fetch between its
// own steps.
class PrefetchCursor {
 public:
  // Blocks of `block_bytes` (whole lines) each, the i-th at `arena + blocks[i] * stride_bytes`; no
  // more than `budget_bytes` of them in all.
  PrefetchCursor(const std::byte* arena, std::span<const uint32_t> blocks, size_t stride_bytes,
                 size_t block_bytes, int streams, size_t budget_bytes)
      : arena_(arena),
        blocks_(blocks),
        stride_bytes_(stride_bytes),
        block_bytes_(block_bytes),
        streams_(static_cast<size_t>(streams)),
        remaining_(std::min(budget_bytes, blocks.size() * block_bytes) / kCacheLineBytes) {}

  // Requests the next `lines`, or what is left; returns how many. Costs a few instructions a line.
  // Always inlined: the instruction then stands in the function that is said to prefetch, where a
  // test looks for it.
  [[gnu::always_inline]] size_t Fetch(size_t lines) {
    const size_t count = std::min(lines, remaining_);
    for (size_t i = 0; i < count; ++i) PrefetchLineToL2(Next());
    return count;
  }

  // The next line, without requesting it; there must be one left.
  [[gnu::always_inline]] const std::byte* Next() {
    const std::byte* line = arena_ + blocks_[first_ + stream_] * stride_bytes_ + offset_;
    if (++stream_ == std::min(streams_, blocks_.size() - first_)) {
      stream_ = 0;
      offset_ += kCacheLineBytes;
      if (offset_ == block_bytes_) {
        offset_ = 0;
        first_ += streams_;
      }
    }
    --remaining_;
    return line;
  }

  // Lines that are still to be requested.
  size_t remaining() const { return remaining_; }

 private:
  const std::byte* arena_;
  std::span<const uint32_t> blocks_;
  size_t stride_bytes_;
  size_t block_bytes_;
  size_t streams_;
  size_t remaining_;
  size_t first_ = 0;   // the first block of those walked side by side
  size_t stream_ = 0;  // which of them is next
  size_t offset_ = 0;  // bytes into each
};

}  // namespace bitfetch

#endif  // BITFETCH_PREFETCH_CURSOR_H_
