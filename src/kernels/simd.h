// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_KERNELS_SIMD_H_
#define BITFETCH_KERNELS_SIMD_H_

#include "kernels/kernels.h"

// The tables that simd.cc makes, one in the namespace of each Highway target. What Highway does not
// do, the ternary products, its caller fills in.
namespace bitfetch {

#if defined(__x86_64__)
namespace N_AVX2 {
Kernels Table();
}
namespace N_AVX3 {
Kernels Table();
Kernels VnniTable();
}  // namespace N_AVX3
#elif defined(__aarch64__)
namespace N_NEON {
Kernels Table();
Kernels DotprodTable();
Kernels I8mmTable();
}  // namespace N_NEON
#endif

}  // namespace bitfetch

#endif  // BITFETCH_KERNELS_SIMD_H_
