// SPDX-License-Identifier: Apache-2.0
#include "bench/memory_bench.h"

#include <gmock/gmock.h>

#include <map>
#include <vector>

namespace bitfetch {
namespace {

TEST(BenchMemoryTest, MeasuresEveryCombinationAndTellsOfEach) {
  const MemoryBenchOptions options{
      .threads = {1, 2},
      .placements = {BlockPlacement::kShuffled, BlockPlacement::kContiguous},
      .pages = {PageSize::k4K},
      .repeats = 2};
  std::vector<int64_t> heard;
  const auto rows =
      BenchMemory(options, [&](const MemoryBenchRow&, int64_t done, int64_t total) -> Status {
        heard.push_back(done);
        EXPECT_EQ(total, 20);
        return {};
      });
  ASSERT_TRUE(rows) << rows.error().message;
  ASSERT_EQ(rows->size(), 20u);
  EXPECT_EQ(heard.front(), 1);
  EXPECT_EQ(heard.back(), 20);

  std::map<std::pair<int, BlockPlacement>, std::vector<int>> streams;
  for (const MemoryBenchRow& row : *rows) {
    streams[{row.threads, row.placement}].push_back(row.streams);
    EXPECT_EQ(row.pages, PageSize::k4K);
    EXPECT_EQ(row.repeats, 2);
    EXPECT_EQ(row.distance_bytes == 0, row.streams == 0);
    EXPECT_GT(row.gb_per_s.min, 0);
    EXPECT_LE(row.gb_per_s.min, row.gb_per_s.median);
    EXPECT_LE(row.gb_per_s.median, row.gb_per_s.max);
    if (row.placement == BlockPlacement::kContiguous) {
      EXPECT_LE(row.fraction.max, 1);
    }
  }
  EXPECT_EQ(streams.size(), 4u);
  for (const auto& [where, each] : streams) {
    EXPECT_THAT(each, ::testing::ElementsAre(0, 1, 2, 4, 8));
  }
}

}  // namespace
}  // namespace bitfetch
