// SPDX-License-Identifier: Apache-2.0
#include "base/memory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>

namespace bitfetch {
namespace {

TEST(PageBuffer, GrowsInPlaceAndKeepsItsContent) {
  for (const PageSize pages : {PageSize::kHuge, PageSize::k4K}) {
    auto buffer = PageBuffer::Reserve(size_t{8} << 20, pages);
    ASSERT_TRUE(buffer) << buffer.error().message;
    EXPECT_EQ(buffer->size(), 0u);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(buffer->data()) % kHugePageBytes, 0u);
    ASSERT_TRUE(buffer->Commit(1000));
    EXPECT_GE(buffer->size(), 1000u);
    const std::byte* before = buffer->data();
    std::memset(buffer->data(), 0x5a, 1000);
    ASSERT_TRUE(buffer->Commit(size_t{8} << 20));
    EXPECT_EQ(buffer->data(), before);
    EXPECT_EQ(buffer->data()[999], std::byte{0x5a});
    EXPECT_EQ(buffer->data()[(size_t{8} << 20) - 1], std::byte{0});
  }
}

TEST(PageBuffer, RefusesMoreThanReserved) {
  auto buffer = PageBuffer::Reserve(kHugePageBytes, PageSize::k4K);
  ASSERT_TRUE(buffer);
  ASSERT_TRUE(buffer->Commit(100));
  const size_t size = buffer->size();
  EXPECT_FALSE(buffer->Commit(kHugePageBytes + 1));
  EXPECT_EQ(buffer->size(), size);
}

TEST(PageBuffer, SaysWhatCannotBeReserved) {
  const auto buffer = PageBuffer::Reserve(size_t{1} << 62, PageSize::kHuge);
  ASSERT_FALSE(buffer);
  EXPECT_THAT(buffer.error().message, testing::HasSubstr("cannot reserve"));
  EXPECT_FALSE(PageBuffer::Reserve(SIZE_MAX, PageSize::kHuge));
}

TEST(PageBuffer, MovesItsMemory) {
  auto first = PageBuffer::Allocate(4096, PageSize::k4K);
  ASSERT_TRUE(first);
  std::byte* data = first->data();
  PageBuffer second = *std::move(first);
  EXPECT_EQ(second.data(), data);
  PageBuffer third;
  third = std::move(second);
  EXPECT_EQ(third.data(), data);
}

TEST(PageBuffer, SmallPagesAreNeverHuge) {
  auto buffer = PageBuffer::Allocate(4 * kHugePageBytes, PageSize::k4K);
  ASSERT_TRUE(buffer);
  std::memset(buffer->data(), 1, buffer->size());
  EXPECT_EQ(buffer->HugeBytes(), 0u);
}

TEST(PageSize, NamesAndParses) {
  for (const PageSize pages : {PageSize::kHuge, PageSize::k4K}) {
    EXPECT_EQ(ParsePageSize(PageSizeName(pages)).value(), pages);
  }
  EXPECT_FALSE(ParsePageSize("8k"));
}

}  // namespace
}  // namespace bitfetch
