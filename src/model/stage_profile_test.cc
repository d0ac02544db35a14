// SPDX-License-Identifier: Apache-2.0
#include "model/stage_profile.h"

#include <gtest/gtest.h>

#include <set>

namespace bitfetch {
namespace {

TEST(StageProfile, AddsUpWhatEachStageTook) {
  StageProfile profile;
  const double before = NowNs();
  profile.Begin();
  profile.End(Stage::kQkv, 100);
  profile.End(Stage::kAttention, 20);
  profile.End(Stage::kQkv, 11);
  const double took = NowNs() - before;
  EXPECT_EQ(profile.at(Stage::kQkv).bytes, 111);
  EXPECT_EQ(profile.at(Stage::kQkv).runs, 2);
  EXPECT_EQ(profile.at(Stage::kHead).runs, 0);
  EXPECT_EQ(profile.Sum().bytes, 131);
  EXPECT_EQ(profile.Sum().runs, 3);
  EXPECT_GT(profile.Sum().ns, 0);
  EXPECT_LE(profile.Sum().ns, took);  // nothing counts twice

  StageProfile twice = profile;
  twice.Add(profile);
  EXPECT_EQ(twice.at(Stage::kAttention).bytes, 40);
  EXPECT_EQ(twice.Sum().runs, 6);
  EXPECT_DOUBLE_EQ(twice.Sum().ns, 2 * profile.Sum().ns);
}

TEST(StageProfile, EveryStageHasANameOfItsOwn) {
  std::set<std::string_view> names;
  for (size_t i = 0; i < kStages; ++i) names.insert(StageName(static_cast<Stage>(i)));
  EXPECT_EQ(names.size(), kStages);
  EXPECT_FALSE(names.contains(""));
}

}  // namespace
}  // namespace bitfetch
