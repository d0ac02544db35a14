// SPDX-License-Identifier: Apache-2.0
// x86's intrinsics, without warnings that GCC 12 gives of them.
#ifndef BITFETCH_KERNELS_INTRINSICS_H_
#define BITFETCH_KERNELS_INTRINSICS_H_

#include <immintrin.h>

#include "hwy/base.h"

#if HWY_COMPILER_GCC_ACTUAL
// GCC bug 105593: its own header passes an undefined vector where a mask leaves nothing of it.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif

#endif  // BITFETCH_KERNELS_INTRINSICS_H_
