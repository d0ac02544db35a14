// SPDX-License-Identifier: Apache-2.0
#include "tier/block_record.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tier/test_blocks.h"

namespace bitfetch {
namespace {

using testing::HasSubstr;

TEST(BlockRecord, HoldsWhatItWasMadeOf) {
  const TestBlock block = TestChain(2, 300, 1).back();
  const RecordHeader header = MakeRecordHeader(block.name, block.bytes);
  const auto read = ReadRecord(header, block.bytes);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->key, block.name.key);
  EXPECT_EQ(read->parent, block.name.parent);
  EXPECT_EQ(read->tokens, block.name.tokens);
  EXPECT_EQ(read->types.k, KvType::kF16);
  EXPECT_EQ(read->types.v, KvType::kQ8_0);
  EXPECT_EQ(RecordBlockBytes(header), 300u);
}

// Its places are those of every machine that shares a store.
TEST(BlockRecord, LiesAsTheFormatSays) {
  TestBlock block = TestChain(1, 16, 1).front();
  block.name.tokens[0] = 0x01020304;
  const RecordHeader header = MakeRecordHeader(block.name, block.bytes);
  const auto* text = reinterpret_cast<const char*>(header.data());
  EXPECT_EQ(std::string(text, 8), "bitfetch");
  EXPECT_EQ(std::string(text + 112, 4), "\4\3\2\1");
  EXPECT_STREQ(text + 176, "f16");
  EXPECT_STREQ(text + 184, "q8_0");
  EXPECT_EQ(text[192], 16);
}

TEST(BlockRecord, NoByteChangesUnnoticed) {
  TestBlock block = TestChain(1, 200, 2).front();
  const RecordHeader good = MakeRecordHeader(block.name, block.bytes);
  for (size_t i = 0; i < good.size(); ++i) {
    RecordHeader header = good;
    header[i] ^= std::byte{1};
    EXPECT_FALSE(ReadRecord(header, block.bytes)) << "byte " << i << " of the header";
  }
  for (size_t i = 0; i < block.bytes.size(); ++i) {
    block.bytes[i] ^= std::byte{0x80};
    EXPECT_FALSE(ReadRecord(good, block.bytes)) << "byte " << i << " of the block";
    block.bytes[i] ^= std::byte{0x80};
  }
  EXPECT_TRUE(ReadRecord(good, block.bytes));
}

TEST(BlockRecord, ALengthOrAKeyThatIsNotItsOwnIsAnError) {
  TestBlock block = TestChain(1, 64, 3).front();
  RecordHeader header = MakeRecordHeader(block.name, block.bytes);
  EXPECT_THAT(ReadRecord(header, std::span(block.bytes).first(63)).error().message,
              HasSubstr("63 bytes of KV where it says 64"));
  EXPECT_THAT(ReadRecord(RecordHeader{}, block.bytes).error().message, HasSubstr("no record"));
  block.name.tokens[3] ^= 1;
  header = MakeRecordHeader(block.name, block.bytes);
  EXPECT_THAT(ReadRecord(header, block.bytes).error().message, HasSubstr("not its tokens'"));
}

}  // namespace
}  // namespace bitfetch
