// SPDX-License-Identifier: Apache-2.0
// Compiles the kernels for AVX-512; simd.cc does so for the other ISAs.
#if defined(__x86_64__)
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_SSE4 | HWY_AVX2 | HWY_AVX3_DL)
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/simd_avx512.cc"
#include "hwy/foreach_target.h"
// Comes after foreach_target.h, which chooses what it defines.
#include "hwy/highway.h"

#if HWY_TARGET == HWY_AVX3
#include "kernels/table-inl.h"
#endif
#endif
