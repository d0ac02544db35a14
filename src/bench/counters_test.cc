// SPDX-License-Identifier: Apache-2.0
#include "bench/counters.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/perf_event.h>

#include <array>

#include "base/memory.h"

namespace bitfetch {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;

constexpr CounterEvent kFaults = {"page_faults", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_PAGE_FAULTS};
constexpr CounterEvent kNone = {"none", PERF_TYPE_SOFTWARE, 0xffff};

void TouchPages(int pages) {
  auto buffer = PageBuffer::Allocate(size_t{4096} * pages, PageSize::k4K);
  ASSERT_TRUE(buffer);
  for (int i = 0; i < pages; ++i) *static_cast<volatile std::byte*>(buffer->data() + i * 4096) = {};
}

TEST(Counters, CountBetweenStartAndStopOnly) {
  auto counters = Counters::Open(std::array{kNone, kFaults});
  if (!counters) GTEST_SKIP() << counters.error().message;
  TouchPages(500);
  counters->Start();
  TouchPages(100);
  counters->Stop();
  TouchPages(500);
  const auto counts = counters->Read();
  ASSERT_EQ(counts.size(), 2u);
  EXPECT_FALSE(counts[0]) << "an event that there is not";
  ASSERT_TRUE(counts[1]);
  EXPECT_GE(*counts[1], 100);
  EXPECT_LT(*counts[1], 500);
  counters->Start();
  TouchPages(100);
  counters->Stop();
  EXPECT_GE(*counters->Read()[1], *counts[1] + 100);
}

TEST(Counters, SayWhyThereAreNone) {
  const auto counters = Counters::Open(std::array{kNone});
  ASSERT_FALSE(counters);
  EXPECT_THAT(counters.error().message, AnyOf(HasSubstr("no hardware counters"),
                                              HasSubstr("does not let"), HasSubstr("perf_event")));
}

TEST(Counters, OfMissesOpenOrSayWhyNot) {
  const auto counters = Counters::Open(MissEvents());
  if (counters) {
    EXPECT_EQ(counters->Read().size(), MissEvents().size());
  } else {
    EXPECT_FALSE(counters.error().message.empty());
  }
}

}  // namespace
}  // namespace bitfetch
