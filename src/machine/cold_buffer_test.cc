// SPDX-License-Identifier: Apache-2.0
#include "machine/cold_buffer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

namespace bitfetch {
namespace {

constexpr size_t kBytes = 20 << 20;

class ColdBufferTest : public ::testing::Test {
 protected:
  std::unique_ptr<ThreadPool> pool_ = ThreadPool::Create(3).value();
};

TEST_F(ColdBufferTest, RotatesThroughAllOfIt) {
  ColdBuffer buffer = ColdBuffer::Create(*pool_, kBytes, PageSize::k4K).value();
  ASSERT_EQ(buffer.size(), kBytes);
  for (bool shuffled : {false, true}) {
    std::multiset<uint32_t> seen;
    bool ascends = true;
    for (int i = 0; i < 5; ++i) {
      const auto piece = buffer.NextPiece(kBytes / 5, shuffled);
      for (uint32_t segment : piece.order) {
        ascends = ascends && (seen.empty() || segment == *seen.rbegin() + 1);
        seen.insert(segment);
      }
    }
    EXPECT_EQ(seen.size(), kBytes / kReadSegmentBytes);
    EXPECT_EQ(std::set(seen.begin(), seen.end()).size(), seen.size());
    EXPECT_EQ(ascends, !shuffled);
  }
}

TEST_F(ColdBufferTest, BytesRotateWithPieces) {
  ColdBuffer buffer = ColdBuffer::Create(*pool_, kBytes, PageSize::k4K).value();
  const std::byte* const begin = buffer.bytes().data();
  EXPECT_EQ(buffer.NextPiece(4 << 20, false).order[0], 0u);
  const auto next = buffer.NextBytes((4 << 20) - 5);
  EXPECT_EQ(next.data(), begin + (4 << 20));
  EXPECT_EQ(next.size(), 4u << 20);
  EXPECT_EQ(buffer.NextBytes(8 << 20).data(), begin + (8 << 20));
  EXPECT_EQ(buffer.NextBytes(8 << 20).data(), begin);  // what is left is too short
  EXPECT_EQ(buffer.NextBytes(size_t{1} << 40).size(), kBytes);
}

TEST_F(ColdBufferTest, ThreadsShareAPieceInWholeSixteens) {
  ColdBuffer buffer = ColdBuffer::Create(*pool_, kBytes, PageSize::k4K).value();
  const auto piece = buffer.NextPiece(1 << 20, true);
  std::set<uint32_t> seen;
  for (int thread = 0; thread < 3; ++thread) {
    const auto mine = piece.OfThread(thread, 3);
    EXPECT_EQ(mine.size(), 32u);  // of 128 / 3
    for (uint32_t segment : mine) EXPECT_TRUE(seen.insert(segment).second);
  }
}

TEST_F(ColdBufferTest, MeasuresASpeed) {
  ColdBuffer buffer = ColdBuffer::Create(*pool_, kBytes, PageSize::kHuge).value();
  for (int threads : {1, 2, 3}) {
    const double speed = buffer.Read(*pool_, threads, 4 << 20, true, {.streams = 4});
    EXPECT_TRUE(std::isfinite(speed) && speed > 0);
  }
  EXPECT_GT(buffer.Read(*pool_, 3, size_t{1} << 40, false, {}), 0);
}

TEST_F(ColdBufferTest, FailsWithoutTimeOrSpace) {
  EXPECT_FALSE(ColdBuffer::Create(*pool_, kBytes, PageSize::kHuge, 0).has_value());
  EXPECT_FALSE(ColdBuffer::Create(*pool_, 1000, PageSize::kHuge).has_value());
  EXPECT_FALSE(ColdBuffer::Create(*pool_, size_t{1} << 62, PageSize::kHuge).has_value());
}

}  // namespace
}  // namespace bitfetch
