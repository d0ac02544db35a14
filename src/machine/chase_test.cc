// SPDX-License-Identifier: Apache-2.0
#include "machine/chase.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace bitfetch {
namespace {

TEST(Chase, VisitsEveryLineOnceInAnOrderThatJumps) {
  for (int bits : {6, 10, 16}) {
    const uint64_t mask = (uint64_t{1} << bits) - 1;
    std::vector<int> visits(mask + 1);
    uint64_t state = 0, last = 0, near = 0;
    for (uint64_t i = 0; i <= mask; ++i) {
      const uint64_t line = LineInChase(state, mask);
      ++visits[line];
      if (line - last + 2 <= 4) ++near;  // what a prefetcher would guess
      last = line;
      state = NextInChase(state) & mask;
    }
    EXPECT_EQ(visits, std::vector<int>(mask + 1, 1));
    EXPECT_EQ(state, 0u);
    EXPECT_LT(near, mask / 4);
  }
}

TEST(Chase, GivesNanosecondsALoad) {
  const std::vector<std::byte> zeros(1 << 18);
  Chase chase(zeros);
  for (const double ns : {chase.OneByOne(1000), chase.AllAtOnce(1000)}) {
    EXPECT_TRUE(std::isfinite(ns) && ns > 0);
  }
}

}  // namespace
}  // namespace bitfetch
