// SPDX-License-Identifier: Apache-2.0
#include "engine/mend_profile.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <iterator>

#include "engine/test_profile.h"

namespace bitfetch {
namespace {

class MendKeptProfileTest : public ::testing::Test {
 protected:
  MendKeptProfileTest() {
    profile_ = Load();
    KernelSpeed& kernel = profile_.kernels.back();
    kernel.gains = {{.threads = 2, .hint = PrefetchHint::kL1, .streams = 2, .contiguous = {1.3}},
                    {.threads = 2, .hint = PrefetchHint::kL2, .streams = 4, .contiguous = {1.2}}};
    access_ = {.kernel = kernel.name, .threads = 2, .max_streams = 16};
    Save(profile_);
  }

  static MachineProfile Load() {
    return LoadProfile(ProfilePath(), ReadTopology(), BITFETCH_VERSION).profile.value();
  }
  static void Save(const MachineProfile& profile) {
    EXPECT_TRUE(SaveProfile(ProfilePath(), profile, BITFETCH_VERSION));
  }

  // A watch that found the law's two streams slower than four.
  PlanWatch Watch() const {
    PlanWatch watch(profile_, access_);
    while (!watch.found_better()) watch.Add(watch.plan().streams == 2 ? 1.2 : 1);
    return watch;
  }

  TestProfile kept_;
  MachineProfile profile_;
  PrefetchAccess access_;
};

TEST_F(MendKeptProfileTest, TheNextRunGoesByWhatWasFound) {
  EXPECT_EQ(ChoosePrefetch(Load(), access_).streams, 2);
  MendKeptProfile(Watch(), access_.kernel);
  EXPECT_EQ(ChoosePrefetch(Load(), access_).streams, 4);
  EXPECT_EQ(Load().kernels.size(), profile_.kernels.size());
}

// What another process kept meanwhile is not lost.
TEST_F(MendKeptProfileTest, MendsTheFileAsItIsNow) {
  const PlanWatch watch = Watch();
  MachineProfile newer = profile_;
  newer.latency_ns = 77;
  Save(newer);
  MendKeptProfile(watch, access_.kernel);
  EXPECT_EQ(Load().latency_ns, 77);
  EXPECT_EQ(ChoosePrefetch(Load(), access_).streams, 4);
}

TEST_F(MendKeptProfileTest, DoesNothingWhereNothingIsKept) {
  const PlanWatch watch = Watch();
  MachineProfile without = profile_;
  without.kernels.pop_back();
  Save(without);
  MendKeptProfile(watch, access_.kernel);
  EXPECT_EQ(FindKernel(Load(), access_.kernel), nullptr);

  std::ofstream(ProfilePath()) << "{";
  testing::internal::CaptureStderr();
  MendKeptProfile(watch, access_.kernel);
  setenv("XDG_CACHE_HOME", "/dev/null", 1);
  MendKeptProfile(watch, access_.kernel);
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

}  // namespace
}  // namespace bitfetch
