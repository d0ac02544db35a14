// SPDX-License-Identifier: Apache-2.0
#include "engine/engine_probe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <set>
#include <tuple>

#include "kernels/attention.h"
#include "kernels/weights_access.h"
#include "machine/clock.h"

namespace bitfetch {
namespace {

using ::testing::ElementsAre;

class EngineProbeTest : public ::testing::Test {
 protected:
  // As SupportedKernels has them: scalar first, which is slow, and the best last.
  const Kernels& kernels_ = *SupportedKernels().back();
  std::unique_ptr<ThreadPool> pool_ = ThreadPool::Create(2).value();
  ColdBuffer buffer_ = ColdBuffer::Create(*pool_, 4 << 20, PageSize::k4K).value();
  MachineProfile profile_;
  const std::string f16_ = AttentionName(kernels_.isa, {});

  bool Run(const KernelProbe& probe, double deadline_ns) {
    return probe.measure({buffer_, PageSize::k4K, *pool_, deadline_ns}, profile_);
  }
};

constexpr double kForever = 1e18;

TEST_F(EngineProbeTest, NamesWhatItMeasures) {
  const KvTypes mixed{KvType::kF32, KvType::kBF16};
  const KernelProbe probe =
      EngineProbe(kernels_, ProbeEffort::kQuick, {KvTypes{}, mixed, KvTypes{}});
  EXPECT_THAT(probe.names, ElementsAre(f16_, AttentionName(kernels_.isa, mixed),
                                       WeightsName(kernels_.isa, WeightsKind::kFours),
                                       WeightsName(kernels_.isa, WeightsKind::kFives),
                                       WeightsName(kernels_.isa, WeightsKind::kGroups),
                                       WeightsName(kernels_.isa, WeightsKind::kScreen)));
  EXPECT_EQ(EngineProbe(kernels_, ProbeEffort::kTune).names.size(), 4 + kKvTypes.size());
}

TEST_F(EngineProbeTest, MeasuresEveryKernel) {
  const KvTypes f32{KvType::kF32, KvType::kF32};
  const KernelProbe probe = EngineProbe(kernels_, ProbeEffort::kTune, {f32, KvTypes{}});
  profile_.kernels.clear();           // the assumed one
  EXPECT_FALSE(Run(probe, NowNs()));  // no time
  EXPECT_TRUE(profile_.kernels.empty());

  ASSERT_TRUE(Run(probe, kForever));
  EXPECT_TRUE(CheckProfile(profile_).has_value());
  ASSERT_EQ(profile_.kernels.size(), probe.names.size());
  for (const std::string& name : probe.names) {
    const KernelSpeed* kernel = FindKernel(profile_, name);
    ASSERT_NE(kernel, nullptr) << name;
    EXPECT_GT(kernel->hot_bytes_per_s, 0);
    std::set<std::tuple<int, PrefetchHint, int>> seen;
    for (const PrefetchGain& gain : kernel->gains) {
      EXPECT_EQ(gain.pages, PageSize::k4K);
      seen.insert({gain.threads, gain.hint, gain.streams});
    }
    // With one thread and with two, into L1 and into L2.
    EXPECT_EQ(seen.size(), 2u * 2 * (kernel->data == KernelData::kKv ? 5 : 3)) << name;
    EXPECT_EQ(seen.size(), kernel->gains.size());
  }
}

TEST_F(EngineProbeTest, AddsToAKernelThatIsThere) {
  const KernelProbe probe = EngineProbe(kernels_, ProbeEffort::kQuick, {KvTypes{}});
  profile_.kernels = {{f16_, 16, 123e9, {{}}}};
  ASSERT_TRUE(Run(probe, kForever));
  ASSERT_EQ(profile_.kernels.size(), 1 + kWeightsKinds.size());
  const KernelSpeed* kernel = FindKernel(profile_, f16_);
  EXPECT_EQ(kernel->hot_bytes_per_s, 123e9);
  EXPECT_EQ(kernel->gains.size(), 1u + 6);
}

}  // namespace
}  // namespace bitfetch
