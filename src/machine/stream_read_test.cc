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
  constexpr int64_t kMiB = 1 << 20;
  EXPECT_EQ(StreamRead::ColdBytes(kMiB, 10'000 * kMiB), 128 * kMiB);
  EXPECT_EQ(StreamRead::ColdBytes(100 * kMiB, 10'000 * kMiB), 400 * kMiB);
  EXPECT_EQ(StreamRead::ColdBytes(100 * kMiB, 1'000 * kMiB), 250 * kMiB);
  EXPECT_EQ(StreamRead::ColdBytes(int64_t{1} << 50, 0), 4 * kMiB);
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
