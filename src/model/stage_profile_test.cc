// SPDX-License-Identifier: Apache-2.0
#include "model/stage_profile.h"

#include <gtest/gtest.h>

#include <set>

namespace bitfetch {
namespace {

TEST(StageProfile, AddsUpWhatEachStageTookAndWhatCameBetween) {
  const double before = NowNs();
  StageProfile profile;
  const double begun = NowNs();
  profile.Begin();
  profile.End(Stage::kQkv, 100);
  profile.End(Stage::kAttention, 20);
  profile.Begin();
  profile.End(Stage::kQkv, 11);
  const double ended = NowNs();
  const StageProfile whole = profile.UntilNow();
  const double took = NowNs() - before;
  EXPECT_EQ(whole.at(Stage::kQkv).bytes, 111);
  EXPECT_EQ(whole.at(Stage::kQkv).runs, 2);
  EXPECT_EQ(whole.at(Stage::kHead).runs, 0);
  EXPECT_EQ(whole.at(Stage::kBetween).runs, 3);
  EXPECT_EQ(whole.Sum().bytes, 131);
  EXPECT_EQ(whole.Sum().runs, 6);
  // Nothing is left out, nothing counts twice.
  EXPECT_GE(whole.Sum().ns, ended - begun);
  EXPECT_LE(whole.Sum().ns, took);
  EXPECT_LE(profile.Sum().ns, whole.Sum().ns);

  StageProfile twice = whole;
  twice.Add(whole);
  EXPECT_EQ(twice.at(Stage::kAttention).bytes, 40);
  EXPECT_EQ(twice.Sum().runs, 12);
  EXPECT_DOUBLE_EQ(twice.Sum().ns, 2 * whole.Sum().ns);
}

TEST(StageProfile, EveryStageHasANameOfItsOwn) {
  std::set<std::string_view> names;
  for (size_t i = 0; i < kStages; ++i) names.insert(StageName(static_cast<Stage>(i)));
  EXPECT_EQ(names.size(), kStages);
  EXPECT_FALSE(names.contains(""));
}

}  // namespace
}  // namespace bitfetch
