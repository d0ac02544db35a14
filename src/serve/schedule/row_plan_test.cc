// SPDX-License-Identifier: Apache-2.0
#include "serve/schedule/row_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>
#include <random>

#include "model/forward.h"

namespace bitfetch {
namespace {

using testing::ElementsAre;

std::vector<int64_t> Plan(std::vector<int64_t> left, int64_t step = 16) {
  return PlanRows(left, step);
}

TEST(RowPlan, PromptsAloneGetWhatAPassHolds) {
  EXPECT_THAT(Plan({3000}), ElementsAre(64));
  EXPECT_THAT(Plan({40}), ElementsAre(40));
  EXPECT_THAT(Plan({3000, 3000}), ElementsAre(64, 0));
}

TEST(RowPlan, WhoWaitsForATokenGetsItWhateverPromptsThereAre) {
  EXPECT_THAT(Plan({1, 3000, 1}), ElementsAre(1, 16, 1));
  EXPECT_THAT(Plan({1, 5, 1}), ElementsAre(1, 5, 1));
}

TEST(RowPlan, HalfIsForTheFirstAndTheRestForTheShortest) {
  EXPECT_THAT(Plan({3000, 5, 1, 4}), ElementsAre(8, 4, 1, 4));
  EXPECT_THAT(Plan({3000, 2, 1, 2}), ElementsAre(12, 2, 1, 2));
  EXPECT_THAT(Plan({3000, 200, 1, 100}), ElementsAre(8, 0, 1, 8));
}

TEST(RowPlan, WhoSitsThisPassOutGetsNothing) { EXPECT_THAT(Plan({0, 3, 0}), ElementsAre(0, 3, 0)); }

TEST(RowPlan, NeverMoreThanAPassHoldsOrAnyoneHasLeft) {
  std::mt19937 random(5);
  for (int round = 0; round < 2000; ++round) {
    std::vector<int64_t> left(1 + random() % ForwardPass::kMaxRows);
    for (int64_t& tokens : left) tokens = random() % 3 == 0 ? random() % 200 : random() % 2;
    const int64_t step = 1 + random() % 64;
    const std::vector<int64_t> rows = PlanRows(left, step);
    const int64_t answers = std::ranges::count(left, 1);
    const int64_t wanted = std::accumulate(left.begin(), left.end(), int64_t{0});
    const int64_t total = std::accumulate(rows.begin(), rows.end(), int64_t{0});
    const int64_t room =
        answers == 0 ? ForwardPass::kMaxRows : std::min(answers + step, ForwardPass::kMaxRows);
    EXPECT_EQ(total, std::min(wanted, room));
    for (size_t i = 0; i < left.size(); ++i) {
      EXPECT_LE(rows[i], left[i]);
      if (left[i] == 1) {
        EXPECT_EQ(rows[i], 1);
      }
    }
  }
}

}  // namespace
}  // namespace bitfetch
