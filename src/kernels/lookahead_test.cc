// SPDX-License-Identifier: Apache-2.0
#include "kernels/lookahead.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace bitfetch {
namespace {

// Attention's own order is the reference: what it reads, line by line, each stream of a chunk by
// itself. What lies ahead must be the same order, moved on by the distance.
TEST(Lookahead, IsTheOrderOfAttentionMovedOn) {
  const KvLayout layout{.kv_heads = 2, .head_dim = 32};
  const size_t block_lines = layout.block_bytes() / kCacheLineBytes;
  std::vector<uint32_t> blocks(12);
  for (uint32_t i = 0; i < blocks.size(); ++i) blocks[i] = i * 7 % 12;
  const std::vector<std::byte> arena(blocks.size() * layout.block_bytes());
  for (const int64_t distance : {1, 64, 256, 257, 4096, 6144, 16384, 20000, 65536, 1048576}) {
    AttendJob job{.kv = {layout, arena.data(), blocks.data(), 12 * kTileTokens}};
    job.end = job.kv.length;
    job.distance_bytes = distance;
    Lookahead lookahead(job);
    const size_t lead_lines =
        (distance + kChunkTiles * kCacheLineBytes - 1) / (kChunkTiles * kCacheLineBytes);
    for (int64_t tile = 0; tile < 12; tile += kChunkTiles) {
      lookahead.StartChunk(tile);
      for (int stream = 0; stream < kChunkTiles; ++stream) {
        for (size_t line = 0; line < block_lines; ++line) {
          const size_t ahead = line + lead_lines;
          const int64_t ahead_tile =
              tile + stream + static_cast<int64_t>(ahead / block_lines) * kChunkTiles;
          const std::byte* want = job.kv.Block(std::min<int64_t>(ahead_tile, 11)) +
                                  ahead % block_lines * kCacheLineBytes;
          ASSERT_EQ(lookahead.Address(stream, line * kCacheLineBytes), want)
              << distance << " " << tile << " " << line;
          const bool is_split = ahead % block_lines + 4 > block_lines &&
                                (line + lead_lines % block_lines) < block_lines;
          ASSERT_EQ(lookahead.IsSplit(line * kCacheLineBytes, 4 * kCacheLineBytes), is_split);
        }
      }
    }
  }
}

}  // namespace
}  // namespace bitfetch
