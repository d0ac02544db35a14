// SPDX-License-Identifier: Apache-2.0
// Compiles a source once for each ISA that this build has, with Highway. Whoever includes this
// defines HWY_TARGET_INCLUDE as its own path before, and has its code in `#if BITFETCH_FOR_ISA`.
//
// Highway's SSE targets and emulations don't fuse multiply-add, so they are off; our own scalar
// code takes their place. Its AVX3_DL has more than the AVX-512 that we ask for, and an SVE core
// runs what NEON has.
//
// BITFETCH_WITHOUT_AVX2, _AVX512 and _AVX512VNNI are defined for a build that leaves them out
// (cmake/isas.cmake).

#if !defined(BITFETCH_MACHINE_FOREACH_ISA_H_)
#define BITFETCH_MACHINE_FOREACH_ISA_H_
#if defined(BITFETCH_WITHOUT_AVX2)
#define BITFETCH_DISABLED_AVX2 HWY_AVX2
#else
#define BITFETCH_DISABLED_AVX2 0
#endif
#if defined(BITFETCH_WITHOUT_AVX512) && defined(BITFETCH_WITHOUT_AVX512VNNI)
#define BITFETCH_DISABLED_AVX512 HWY_AVX3
#else
#define BITFETCH_DISABLED_AVX512 0
#endif
#define HWY_DISABLED_TARGETS                                                                \
  (HWY_SSSE3 | HWY_SSE4 | BITFETCH_DISABLED_AVX2 | BITFETCH_DISABLED_AVX512 | HWY_AVX3_DL | \
   HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128)
#define BITFETCH_FOR_ISA (HWY_TARGET != HWY_SCALAR && HWY_TARGET != HWY_EMU128)
#endif  // BITFETCH_MACHINE_FOREACH_ISA_H_

#include "hwy/foreach_target.h"
// Comes after foreach_target.h, which chooses what it defines.
#include "hwy/highway.h"
