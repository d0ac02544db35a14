// SPDX-License-Identifier: Apache-2.0
#include "machine/stream_read.h"

#include <gtest/gtest.h>

#include <cmath>

namespace bitfetch {
namespace {

TEST(StreamRead, GivesAGoodSpeedEachTime) {
  const auto pool = ThreadPool::Create(2).value();
  auto read = StreamRead::Create(*pool, 8 << 20, PageSize::kHuge);
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->bytes(), size_t{8} << 20);
  for (int i = 0; i < 3; ++i) {
    const double speed = read->Once();
    EXPECT_TRUE(std::isfinite(speed) && speed > 0);
  }
  EXPECT_FALSE(StreamRead::Create(*pool, size_t{1} << 62, PageSize::k4K).has_value());
}

TEST(StreamRead, ColdBytesExceedTheCaches) {
  Topology topology;
  topology.last_level_bytes = 1 << 20;
  EXPECT_LE(StreamRead::ColdBytes(topology), size_t{128} << 20);
  topology.last_level_bytes = int64_t{1} << 50;  // more than there can be memory
  EXPECT_LE(StreamRead::ColdBytes(topology), static_cast<size_t>(AvailableMemory()) / 2);
}

TEST(ReadStyles, HavePlainAndPrefetchedReadsAtEveryWidth) {
  for (int width : ReadWidths()) {
    int plain = 0, prefetched = 0;
    for (const ReadStyle& style : ReadStyles()) {
      if (style.width_bytes == width) ++(style.streams == 0 ? plain : prefetched);
    }
    EXPECT_EQ(plain, 1);
    EXPECT_GE(prefetched, 3);
  }
}

}  // namespace
}  // namespace bitfetch
