// SPDX-License-Identifier: Apache-2.0
#include "kernels/lookahead.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <tuple>
#include <vector>

namespace bitfetch {
namespace {

// Every line of the job, sorted by what comes first: the definition of attention's order.
std::vector<const std::byte*> LinesInOrder(const AttendJob& job) {
  const KvLayout& layout = job.kv.layout;
  const int walk = std::clamp(job.prefetch.streams / 4 * 4, 4, 16);
  const int streams = std::min(job.prefetch.streams, walk);
  using Key = std::tuple<int64_t, int, int, int64_t, size_t, int64_t, const std::byte*>;
  std::vector<Key> lines;
  const int64_t first_tile = job.begin / kTileTokens;
  const int64_t tiles = (job.end + kTileTokens - 1) / kTileTokens - first_tile;
  for (int64_t tile = 0; tile < tiles; ++tile) {
    for (int head = job.first_head; head < job.end_head; ++head) {
      for (int part = 0; part < 2; ++part) {
        const size_t bytes = part == 0 ? layout.k_tile_bytes() : layout.v_tile_bytes();
        const std::byte* begin = job.kv.Block(first_tile + tile) + head * layout.head_bytes() +
                                 (part == 0 ? 0 : layout.k_tile_bytes());
        for (size_t offset = 0; offset < bytes; offset += kCacheLineBytes) {
          lines.emplace_back(tile / walk, head, part, tile % walk / streams, offset, tile,
                             begin + offset);
        }
      }
    }
  }
  std::sort(lines.begin(), lines.end());
  std::vector<const std::byte*> order;
  for (const Key& line : lines) order.push_back(std::get<6>(line));
  return order;
}

TEST(Lookahead, IsTheOrderOfAttentionMovedOn) {
  const KvLayout layout{
      .kv_heads = 3, .head_dim = 32, .types = {.k = KvType::kF32, .v = KvType::kF16}};
  std::vector<uint32_t> blocks(37);
  for (uint32_t i = 0; i < blocks.size(); ++i) blocks[i] = i * 7 % 37;
  const std::vector<std::byte> arena(blocks.size() * layout.block_bytes());
  for (const int streams : {1, 2, 4, 6, 8, 16, 20}) {
    for (const int64_t end : {16, 17, 300, 592}) {
      for (const int64_t distance : {64, 128, 4096, 4160, 20032, 65536, 1048576}) {
        for (const int first_head : {0, 1}) {
          AttendJob job{.kv = {layout, arena.data(), layout.block_bytes(), blocks.data(), end},
                        .begin = end > kRangeTokens ? kRangeTokens : 0,
                        .end = end,
                        .first_head = first_head,
                        .end_head = 3,
                        .prefetch = {.on = true, .distance_bytes = distance, .streams = streams}};
          const auto order = LinesInOrder(job);
          Lookahead lookahead(job);
          size_t ahead = distance / kCacheLineBytes;
          const auto check = [&](const std::byte* line) {
            ASSERT_LT(ahead, order.size());
            ASSERT_EQ(line, order[ahead])
                << streams << " streams, " << distance << " bytes, line " << ahead;
            ++ahead;
          };
          for (size_t lines = 0; lines < order.size(); lines += 7) lookahead.Take(7, check);
          EXPECT_GE(ahead, order.size());
        }
      }
    }
  }
}

}  // namespace
}  // namespace bitfetch
