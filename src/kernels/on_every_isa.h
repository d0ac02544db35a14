// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_KERNELS_ON_EVERY_ISA_H_
#define BITFETCH_KERNELS_ON_EVERY_ISA_H_

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "kernels/kernels.h"

namespace bitfetch {

// For tests: calls check(kernels, random) for every ISA, with the same random numbers.
template <class Check>
void OnEveryIsa(const Check& check) {
  for (const Kernels* kernels : SupportedKernels()) {
    SCOPED_TRACE(std::string(IsaName(kernels->isa)));
    std::mt19937 random(11);
    check(*kernels, random);
  }
}

// For tests: what kernels of weights may be told to do, to the end of their data and beyond it.
inline constexpr PrefetchPlan kPlansOfWeights[] = {{},
                                                   {true, 64, 1, PrefetchHint::kL1},
                                                   {true, 4096, 1, PrefetchHint::kL2},
                                                   {true, 1 << 20, 1, PrefetchHint::kL1},
                                                   {true, 8192, 2, PrefetchHint::kL2},
                                                   {true, 4096, 4, PrefetchHint::kL1},
                                                   {true, 256, 16, PrefetchHint::kL2}};

}  // namespace bitfetch

#endif  // BITFETCH_KERNELS_ON_EVERY_ISA_H_
