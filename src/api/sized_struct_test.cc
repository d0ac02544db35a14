// SPDX-License-Identifier: Apache-2.0
#include "api/sized_struct.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace bitfetch {
namespace {

using testing::HasSubstr;

// One struct in three versions of a header.
struct First {
  size_t struct_size;
  int64_t a;
};
struct Known {
  size_t struct_size;
  int64_t a;
  int64_t b;
};
struct Newer {
  size_t struct_size;
  int64_t a;
  int64_t b;
  int64_t c;
};

constexpr size_t kFirstVersion = BITFETCH_FIRST_VERSION(Known, a);
constexpr Known kDefaults = {.struct_size = sizeof(Known), .a = 1, .b = 2};

// As the library reads what a caller of another version passes.
template <class Theirs>
Result<Known> Read(const Theirs& theirs) {
  Known known = kDefaults;
  BITFETCH_RETURN_IF_ERROR(
      ReadSized("options", reinterpret_cast<const Known*>(&theirs), kFirstVersion, &known));
  return known;
}

TEST(SizedStruct, AnOlderOneHasTheDefaultsOfWhatItLacks) {
  const auto known = Read(First{.struct_size = sizeof(First), .a = 10});
  ASSERT_TRUE(known);
  EXPECT_EQ(known->a, 10);
  EXPECT_EQ(known->b, 2);
  EXPECT_EQ(known->struct_size, sizeof(Known));
}

TEST(SizedStruct, ANewerOneIsReadIfWhatItHasMoreIsZero) {
  Newer newer = {.struct_size = sizeof(Newer), .a = 10, .b = 20, .c = 0};
  const auto known = Read(newer);
  ASSERT_TRUE(known);
  EXPECT_EQ(known->a, 10);
  EXPECT_EQ(known->b, 20);
  EXPECT_EQ(known->struct_size, sizeof(Known));
  newer.c = int64_t{1} << 63;  // its last byte
  EXPECT_THAT(Read(newer).error().message,
              HasSubstr("options: has 32 bytes, of which this version knows 24"));
}

TEST(SizedStruct, ASizeThatNoVersionHasIsAnError) {
  for (const size_t size : {size_t{0}, kFirstVersion - 1, kMaxStructBytes + 1, SIZE_MAX}) {
    EXPECT_THAT(Read(Known{.struct_size = size, .a = 0, .b = 0}).error().message,
                HasSubstr(fmt::format("options: struct_size is {}, not from 16 to", size)));
    Known untouched = {.struct_size = 5, .a = 6, .b = 7};
    EXPECT_FALSE(WriteSized("options", kDefaults, kFirstVersion, &untouched, size));
    EXPECT_EQ(untouched.struct_size, 5u);
    EXPECT_EQ(untouched.a, 6);
  }
}

TEST(SizedStruct, DefaultsFillWhatTheCallerHas) {
  Known older = {.struct_size = 5, .a = 6, .b = 7};
  ASSERT_TRUE(WriteSized("options", kDefaults, kFirstVersion, &older, sizeof(First)));
  EXPECT_EQ(older.struct_size, sizeof(First));
  EXPECT_EQ(older.a, 1);
  EXPECT_EQ(older.b, 7);  // in an older caller, what lies behind its struct

  Newer newer = {.struct_size = 5, .a = 6, .b = 7, .c = 8};
  ASSERT_TRUE(WriteSized("options", kDefaults, kFirstVersion, reinterpret_cast<Known*>(&newer),
                         sizeof(newer)));
  EXPECT_EQ(newer.struct_size, sizeof(newer));
  EXPECT_EQ(newer.a, 1);
  EXPECT_EQ(newer.b, 2);
  EXPECT_EQ(newer.c, 0);
}

}  // namespace
}  // namespace bitfetch
