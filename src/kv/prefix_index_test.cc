// SPDX-License-Identifier: Apache-2.0
#include "kv/prefix_index.h"

#include <gtest/gtest.h>

namespace bitfetch {
namespace {

// Keys that begin alike are in the same place of a hash table.
BlockKey CollidingKey(uint8_t number) {
  BlockKey key;
  key.digest.back() = number;
  return key;
}

TEST(PrefixIndex, FindsWhatWasInserted) {
  PrefixIndex index(100);
  EXPECT_FALSE(index.Find(CollidingKey(1)));
  EXPECT_EQ(index.KeyOf(0), nullptr);
  EXPECT_EQ(index.KeyOf(99), nullptr);
  index.Insert(CollidingKey(1), 99, std::nullopt);
  index.Insert(CollidingKey(2), 0, 99);
  for (int i = 3; i < 50; ++i)
    index.Insert(CollidingKey(static_cast<uint8_t>(i)), i, i == 3 ? 0 : i - 1);
  EXPECT_EQ(index.size(), 49u);
  EXPECT_EQ(index.Find(CollidingKey(1)), 99u);
  EXPECT_EQ(index.Find(CollidingKey(2)), 0u);
  EXPECT_EQ(index.Find(CollidingKey(40)), 40u);
  EXPECT_EQ(*index.KeyOf(99), CollidingKey(1));
  EXPECT_EQ(index.ParentOf(99), std::nullopt);
  EXPECT_EQ(index.ParentOf(0), 99u);
  EXPECT_EQ(index.ParentOf(3), 0u);
  EXPECT_EQ(index.KeyOf(50), nullptr);

  index.Erase(49);
  EXPECT_FALSE(index.Find(CollidingKey(49)));
  EXPECT_EQ(index.KeyOf(49), nullptr);
  index.Insert(CollidingKey(77), 49, std::nullopt);
  EXPECT_EQ(index.Find(CollidingKey(77)), 49u);
  EXPECT_EQ(index.ParentOf(49), std::nullopt);
}

TEST(PrefixIndex, EvictsWhatHasBeenIdleLongest) {
  PrefixIndex index(8);
  for (uint32_t block = 0; block < 6; ++block) {
    index.Insert(CollidingKey(static_cast<uint8_t>(block)), block, std::nullopt);
  }
  for (const uint32_t block : {4, 2, 0, 5, 1}) index.SetIdle(block);
  index.SetHeld(4);
  index.SetHeld(5);
  index.SetHeld(1);
  index.SetIdle(4);
  EXPECT_EQ(index.idle(), 3u);
  EXPECT_EQ(index.size(), 6u);
  for (const uint32_t block : {2, 0, 4}) {
    EXPECT_EQ(index.Evict(), block);
    EXPECT_FALSE(index.Find(CollidingKey(static_cast<uint8_t>(block))));
  }
  EXPECT_EQ(index.idle(), 0u);
  EXPECT_EQ(index.size(), 3u);
  index.SetIdle(3);
  EXPECT_EQ(index.Evict(), 3u);
}

}  // namespace
}  // namespace bitfetch
