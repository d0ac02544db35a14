// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_MACHINE_READ_SEGMENTS_H_
#define BITFETCH_MACHINE_READ_SEGMENTS_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace bitfetch {

inline constexpr size_t kReadSegmentBytes = 8 << 10;  // f16 K and V of 16 tokens at head_dim 128

// How ReadSegments goes about it.
struct ReadStyle {
  int width_bytes = 16;  // of a load: 16, or one more of ReadWidths()
  // 0: plain loads, one segment after another. Else 1, 2, 4 or 8: that many segments in turn, a
  // line of each, and each line requested `distance_bytes` (of all streams together) before it is
  // read.
  int streams = 0;
  size_t distance_bytes = 4 << 10;
};

// Widths of a load that this CPU has, in ascending order.
std::vector<int> ReadWidths();

// Reads the segments `order[0], order[1], ...` of kReadSegmentBytes each at `base`, whole sixteens
// only. Returns a sum that depends on every byte, so that nothing is left out.
uint64_t ReadSegments(const std::byte* base, std::span<const uint32_t> order,
                      const ReadStyle& style);

}  // namespace bitfetch

#endif  // BITFETCH_MACHINE_READ_SEGMENTS_H_
