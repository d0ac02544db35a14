// SPDX-License-Identifier: Apache-2.0
#include "machine/read_segments.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>

namespace bitfetch {
namespace {

constexpr size_t kSegments = 48;

class ReadSegmentsTest : public ::testing::Test {
 protected:
  ReadSegmentsTest() : words_(kSegments * kReadSegmentBytes / 8 + 8), order_(kSegments) {
    // Vectors of 64 bytes are loaded from aligned places.
    first_ = (64 - reinterpret_cast<uintptr_t>(words_.data()) % 64) % 64 / 8;
    std::mt19937_64 random(3);
    for (uint64_t& word : words_) word = random();
    std::iota(order_.begin(), order_.end(), 0);
    std::shuffle(order_.begin(), order_.end(), random);
  }
  uint64_t* words() { return words_.data() + first_; }
  uint64_t Read(const ReadStyle& style, size_t segments = kSegments) {
    return ReadSegments(reinterpret_cast<const std::byte*>(words()),
                        std::span(order_).first(segments), style);
  }
  uint64_t Naive(size_t segments) {
    uint64_t sum = 0;
    for (size_t i = 0; i < segments; ++i) {
      const uint64_t* segment = words() + order_[i] * kReadSegmentBytes / 8;
      sum = std::accumulate(segment, segment + kReadSegmentBytes / 8, sum);
    }
    return sum;
  }

  std::vector<uint64_t> words_;
  std::vector<uint32_t> order_;
  size_t first_;
};

TEST_F(ReadSegmentsTest, ReadsEveryByteOnceHoweverItGoesAboutIt) {
  for (int width : ReadWidths()) {
    for (int streams : {0, 1, 2, 4, 8}) {
      for (size_t distance : {size_t{0}, size_t{64}, size_t{4096}, size_t{1} << 30}) {
        const ReadStyle style{width, streams, distance};
        EXPECT_EQ(Read(style), Naive(kSegments)) << width << " " << streams << " " << distance;
      }
    }
  }
}

TEST_F(ReadSegmentsTest, TakesWholeSixteensOnly) {
  EXPECT_EQ(Read({}, 47), Naive(32));
  EXPECT_EQ(Read({.streams = 8}, 15), 0u);
  EXPECT_EQ(Read({.streams = 2}, 0), 0u);
}

TEST(ReadWidths, Ascend) {
  const auto widths = ReadWidths();
  ASSERT_FALSE(widths.empty());
  EXPECT_EQ(widths[0], 16);
  EXPECT_LE(widths.back(), 64);
  EXPECT_TRUE(std::is_sorted(widths.begin(), widths.end()));
}

}  // namespace
}  // namespace bitfetch
