// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "kernels/attention.h"

namespace bitfetch {
namespace {

TEST(AttentionAccess, TellsKernelsAndLayoutsApart) {
  const auto access = [&](KvTypes types, BlockPlacement placement) {
    return AttentionAccess(Isa::kAvx2, {5, 128, types}, placement, PageSize::k4K, 4, 2);
  };
  const PrefetchAccess f16 = access({}, BlockPlacement::kContiguous);
  EXPECT_EQ(f16.kernel, "avx2 f16");
  EXPECT_EQ(f16.value_bits, 16);
  EXPECT_FALSE(f16.paged);
  EXPECT_EQ(f16.max_streams, 16);
  const PrefetchAccess mixed = access({KvType::kQ8_0, KvType::kQ4_0}, BlockPlacement::kShuffled);
  EXPECT_EQ(mixed.kernel, "avx2 q8_0:q4_0");
  EXPECT_EQ(mixed.value_bits, 6.5);
  EXPECT_TRUE(mixed.paged);
}

}  // namespace
}  // namespace bitfetch
