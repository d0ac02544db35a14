// SPDX-License-Identifier: Apache-2.0
#include "bench/touch_sampler.h"

#include <gtest/gtest.h>

#include <vector>

#include "bench/watched_attention.h"
#include "kernels/test_attention.h"

namespace bitfetch {
namespace {

// Chunks of eight lines: how many of them came between bursts, and which line was timed.
TEST(TouchSampler, TimesEveryLineAlikeAtRandomIntervals) {
  constexpr int kChunks = 80'000;
  constexpr int64_t kInterval = 10;
  std::vector<std::byte> lines(8 * kCacheLineBytes);
  TouchSampler sampler(kInterval, 1);
  std::vector<int> times(8);
  int64_t shown_of_burst = 0;
  for (int chunk = 0; chunk < kChunks; ++chunk) {
    const bool shown = sampler.Due(lines.size());
    if (!shown) {
      EXPECT_EQ(shown_of_burst, 0);
      continue;
    }
    const size_t before = sampler.loads().size();
    for (size_t i = 0; i < 8; ++i) {
      const size_t timed = sampler.loads().size();
      sampler.Touch(&lines[i * kCacheLineBytes]);
      times[i] += static_cast<int>(sampler.loads().size() - timed);
    }
    // The first warms up.
    EXPECT_EQ(sampler.loads().size() - before, shown_of_burst > 0 ? 1u : 0u);
    shown_of_burst = (shown_of_burst + 1) % (1 + TouchSampler::kBurst);
  }
  const auto all = static_cast<double>(sampler.loads().size());
  constexpr double kWanted = 1.0 * kChunks / kInterval;
  EXPECT_NEAR(all, kWanted, kWanted * 0.05);
  for (const int each : times) EXPECT_NEAR(each, all / 8, all / 8 * 0.15);
  sampler.Clear();
  EXPECT_TRUE(sampler.loads().empty());
}

TEST(TouchSampler, WarmsUpAgainAfterOtherCode) {
  std::byte line{};
  TouchSampler sampler(2, 1);
  const auto timed = [&] {
    const size_t before = sampler.loads().size();
    sampler.Touch(&line);
    return sampler.loads().size() > before;
  };
  while (!sampler.Due(kCacheLineBytes)) {
  }
  EXPECT_FALSE(timed());
  EXPECT_TRUE(sampler.Due(kCacheLineBytes));
  EXPECT_TRUE(timed());
  sampler.Resume();
  EXPECT_TRUE(sampler.Due(kCacheLineBytes));
  EXPECT_FALSE(timed());
  EXPECT_TRUE(sampler.Due(kCacheLineBytes));
  EXPECT_TRUE(timed());
}

// How many of so many chunks have a line that is timed.
size_t Timed(TouchSampler sampler, int chunks) {
  std::byte line{};
  for (int chunk = 0; chunk < chunks; ++chunk) {
    if (sampler.Due(kCacheLineBytes)) sampler.Touch(&line);
  }
  return sampler.loads().size();
}

TEST(TouchSampler, SeesEachLineOfEachIsaOnceAndChangesNoBit) {
  constexpr int64_t kTokens = 4 * kRangeTokens;
  const std::vector<std::pair<PrefetchPlan, const char*>> plans = {
      {{}, "off"},
      {{.on = true, .distance_bytes = 4096, .streams = 4, .hint = PrefetchHint::kL1}, "l1"},
      {{.on = true, .distance_bytes = 8192, .streams = 8, .hint = PrefetchHint::kL2}, "l2"}};
  for (const KvTypes types : {kF16, kQ8, kQ4}) {
    for (const int group : {1, 4, 6}) {
      const Case c(RandomInput({2, group, 64}, kTokens, 1.0f, 3), types);
      const auto want = RunLast(c, 1, {});
      for (const Kernels* kernels : SupportedKernels()) {
        if (kernels->isa == Isa::kScalar) continue;
        for (const auto& [plan, name] : plans) {
          TouchSampler sampler(2, 1);
          const Kernels watched = WatchedKernels(*kernels);
          const std::vector<AttentionMeter> meters = {{.touches = &sampler}};
          const auto pool = ThreadPool::Create(1).value();
          WatchAttention(*pool, meters);
          EXPECT_TRUE(SameBits(RunLast(c, 1, {.kernels = &watched, .prefetch = plan}, *pool), want))
              << IsaName(kernels->isa) << " " << KvTypesName(types) << " " << name;
          // Two heads of sixteen chunks.
          EXPECT_EQ(sampler.loads().size(), Timed(TouchSampler(2, 1), 32))
              << IsaName(kernels->isa) << " " << KvTypesName(types) << " " << name;
        }
      }
    }
  }
}

}  // namespace
}  // namespace bitfetch
