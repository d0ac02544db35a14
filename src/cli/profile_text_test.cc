// SPDX-License-Identifier: Apache-2.0
#include "cli/profile_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace bitfetch {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// Of one kernel on huge pages by 2 threads; the best of blocks in a row, and another.
MachineProfile Profile(const Speedup& best, const Speedup& other) {
  MachineProfile profile;
  profile.source = ProfileSource::kTune;
  profile.kernels = {{"avx2 f16", 16, 16e9, {}}};
  for (const auto& [streams, contiguous] : {std::pair(4, best), std::pair(8, other)}) {
    profile.kernels[0].gains.push_back(
        {.threads = 2, .streams = streams, .contiguous = contiguous, .paged = {1.5 / streams}});
  }
  return profile;
}

TEST(ProfileText, SaysHowSureItIs) {
  EXPECT_THAT(
      ProfileText(Profile({1.4, 1.35, 1.47}, {1.2, 1.1, 1.3})),
      HasSubstr("2 of 2 choices are surely within 2 % of the best; half of the speedups are "
                "right to 5 %\n"));
  EXPECT_THAT(ProfileText(Profile({1.4, 1.35, 1.47}, {1.3, 1.2, 1.54})),
              HasSubstr("1 of 2 choices are surely within 2 % of the best; of the others none is "
                        "more than 10 % behind it; half of the speedups are right to 5 %\n"));
  EXPECT_THAT(ProfileText(Profile({1.4, 0.01, 100}, {1.3, 0.01, 100})),
              HasSubstr("1 of 2 choices are surely within 2 % of the best; time was too short to "
                        "tell of the others\n"));
}

TEST(ProfileText, WeightsLieInNoBlocks) {
  MachineProfile profile = Profile({1.4, 1.35, 1.47}, {1.2, 1.1, 1.3});
  profile.kernels[0].data = KernelData::kWeights;
  const std::string text = ProfileText(profile);
  EXPECT_THAT(text, HasSubstr("1 of 1 choices are surely"));
  EXPECT_THAT(text, Not(HasSubstr("paged")));
}

TEST(ProfileText, AssumptionsAreNotSure) {
  EXPECT_THAT(ProfileText(MachineProfile()), Not(HasSubstr("sure")));
}

}  // namespace
}  // namespace bitfetch
