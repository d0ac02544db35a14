// SPDX-License-Identifier: Apache-2.0
#include "tier/store_pair.h"

#include <gtest/gtest.h>

#include <random>

#include "tier/test_blocks.h"
#include "tier/test_store.h"

namespace bitfetch {
namespace {

TEST(StorePair, HasWhatOneOfThemHas) {
  const std::vector<TestBlock> chain = TestChain(12, 100, 1);
  std::mt19937 random(1);
  for (int round = 0; round < 100; ++round) {
    auto first = std::make_unique<TestStore>(), second = std::make_unique<TestStore>();
    TestStore *near = first.get(), *far = second.get();
    StorePair pair(std::move(first), std::move(second));
    const size_t near_count = random() % 13, far_from = random() % 13;
    for (size_t i = 0; i < chain.size(); ++i) {
      if (i < near_count) {
        ASSERT_TRUE(near->Write(chain[i].name, chain[i].bytes));
      }
      if (i >= far_from) {
        ASSERT_TRUE(far->Write(chain[i].name, chain[i].bytes));
      }
    }
    const int64_t both = far_from <= near_count ? 12 : static_cast<int64_t>(near_count);
    EXPECT_EQ(pair.Count(KeysOf(chain)), both);
    for (size_t i = 0; i < chain.size(); ++i) {
      const auto read = ReadBlock(pair, chain[i]);
      ASSERT_EQ(read.has_value(), i < near_count || i >= far_from);
      if (read) {
        EXPECT_EQ(*read, chain[i].bytes);
      }
    }
  }
}

TEST(StorePair, BothKeepWhatIsWritten) {
  const TestBlock block = TestChain(1, 100, 1).front();
  auto first = std::make_unique<TestStore>(), second = std::make_unique<TestStore>();
  TestStore *near = first.get(), *far = second.get();
  StorePair pair(std::move(first), std::move(second));
  ASSERT_TRUE(pair.Write(block.name, block.bytes));
  EXPECT_EQ(ReadBlock(*near, block), block.bytes);
  EXPECT_EQ(ReadBlock(*far, block), block.bytes);
}

}  // namespace
}  // namespace bitfetch
