// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_ENGINE_TEST_PROFILE_H_
#define BITFETCH_ENGINE_TEST_PROFILE_H_

#include <gtest/gtest.h>

#include <cstdlib>

#include "base/temp_dir.h"
#include "kernels/attention.h"
#include "kernels/weights_access.h"
#include "machine/profile_store.h"
#include "machine/topology.h"

namespace bitfetch {

// For tests: a cache folder of their own with a made-up profile that holds every kernel, so that
// nothing measures the machine, and small caches for hwloc to tell of, so that benchmarks read
// little memory wherever they run.
class TestProfile {
 public:
  TestProfile() {
    setenv("HWLOC_SYNTHETIC", "package:1 l3:1(size=8MB) l2:1(size=1MB) l1d:1(size=32KB) pu:1", 1);
    setenv("XDG_CACHE_HOME", folder_.path().c_str(), 1);
    MachineProfile profile = DefaultProfile(ReadTopology());
    profile.source = ProfileSource::kQuick;
    const KernelSpeed any = profile.kernels[0];
    for (const Kernels* kernels : SupportedKernels()) {
      for (const WeightsKind kind : kWeightsKinds) {
        profile.kernels.push_back(any);
        profile.kernels.back().name = WeightsName(kernels->isa, kind);
        profile.kernels.back().data = KernelData::kWeights;
      }
      for (const KvType k : kKvTypes) {
        for (const KvType v : kKvTypes) {
          profile.kernels.push_back(any);
          profile.kernels.back().name = AttentionName(kernels->isa, {k, v});
        }
      }
    }
    const Status saved = SaveProfile(ProfilePath(), profile, BITFETCH_VERSION);
    EXPECT_TRUE(saved) << saved.error().message;
  }

 private:
  TempDir folder_;
};

}  // namespace bitfetch

#endif  // BITFETCH_ENGINE_TEST_PROFILE_H_
