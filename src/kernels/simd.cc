// SPDX-License-Identifier: Apache-2.0
// Compiles the kernels once for each ISA that Highway knows and we use, but AVX-512, which is a
// source of its own since all of them take a compiler minutes. Highway's SSE targets and emulations
// don't fuse multiply-add, so they are off; our own scalar kernels take their place.
#define HWY_DISABLED_TARGETS \
  (HWY_SSSE3 | HWY_SSE4 | HWY_AVX3 | HWY_AVX3_DL | HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128)
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/simd.cc"
#include "hwy/foreach_target.h"
// Comes after foreach_target.h, which chooses what it defines.
#include "hwy/highway.h"

#if HWY_TARGET != HWY_SCALAR && HWY_TARGET != HWY_EMU128
#include "kernels/table-inl.h"
#endif
