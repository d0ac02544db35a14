// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_MACHINE_READ_TILES_H_
#define BITFETCH_MACHINE_READ_TILES_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace bitfetch {

inline constexpr size_t kReadTileBytes = 8 << 10;  // f16 K and V of 16 tokens at head_dim 128

// How ReadTiles goes about it.
struct ReadStyle {
  int width_bytes = 16;  // of a load: 16, or one more of ReadWidths()
  // 0: plain loads, one tile after another. Else 1, 2, 4 or 8: that many tiles in turn, a line of
  // each, and each line requested `distance_bytes` (of all streams together) before it is read.
  int streams = 0;
  size_t distance_bytes = 4 << 10;
};

// Widths of a load that this CPU has, in ascending order.
std::vector<int> ReadWidths();

// Reads the tiles `order[0], order[1], ...` of kReadTileBytes each at `base`, whole groups of 16
// only. Returns a sum that depends on every byte, so that nothing is left out.
uint64_t ReadTiles(const std::byte* base, std::span<const uint32_t> order, const ReadStyle& style);

}  // namespace bitfetch

#endif  // BITFETCH_MACHINE_READ_TILES_H_
