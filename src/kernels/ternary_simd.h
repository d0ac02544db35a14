// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_KERNELS_TERNARY_SIMD_H_
#define BITFETCH_KERNELS_TERNARY_SIMD_H_

#include "kernels/kernels.h"

// Kernels::ternary_matmul on each ISA.
namespace bitfetch {

#define BITFETCH_DECLARE_TERNARY_MATMUL(isa)                                                   \
  namespace isa {                                                                              \
  void TernaryMatmul(const TernaryRows& w, int64_t begin, int64_t end, const QuantizedRows& x, \
                     float* out, int64_t out_stride);                                          \
  }
#if defined(__x86_64__)
BITFETCH_DECLARE_TERNARY_MATMUL(avx2)
BITFETCH_DECLARE_TERNARY_MATMUL(avx512)
BITFETCH_DECLARE_TERNARY_MATMUL(avx512vnni)
BITFETCH_DECLARE_TERNARY_MATMUL(avx512amx)
#elif defined(__aarch64__)
BITFETCH_DECLARE_TERNARY_MATMUL(neon)
BITFETCH_DECLARE_TERNARY_MATMUL(neon_dotprod)
BITFETCH_DECLARE_TERNARY_MATMUL(neon_i8mm)
#endif
#undef BITFETCH_DECLARE_TERNARY_MATMUL

#if defined(__x86_64__)
// The same of Kernels::ternary_groups_matmul.
namespace avx512amx {
void TernaryGroupsMatmul(const TernaryGroups& w, int64_t begin, int64_t end,
                         const QuantizedGroups& x, float* out, int64_t out_stride);
}
#endif

}  // namespace bitfetch

#endif  // BITFETCH_KERNELS_TERNARY_SIMD_H_
