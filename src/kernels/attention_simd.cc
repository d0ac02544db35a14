// SPDX-License-Identifier: Apache-2.0
// The walk of attention over tiles of any type, and the folding of ranges, for each ISA.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/attention_simd.cc"
#include "machine/foreach_isa.h"

#if BITFETCH_FOR_ISA
#include "kernels/attention_walk-inl.h"
#include "kernels/scalar.h"
#include "kernels/simd.h"

HWY_BEFORE_NAMESPACE();
namespace bitfetch {
namespace HWY_NAMESPACE {

void AttendWith(const ProductsByType& products, const AttendJob& job) {
  Walk<NoWatch>(job, products, {}).Run();
}

void Fold(const float* partials, int64_t ranges, int64_t range_stride, int head_dim,
          float* folded) {
  for (int64_t range = 0; range < ranges; ++range) {
    const float* partial = partials + range * range_stride;
    float sums[kPartialSums];
    Store16(Load16(partial + head_dim), sums);
    const FoldFactors factors = FoldRange(scalar::FoldSums(sums), partial, head_dim, folded);
    for (int d = 0; d < head_dim; d += 16) {
      const Vec16 old = Mul16(ClampSum16(Load16(folded + d)), Set16(factors.old));
      Store16(MulAdd16(ClampSum16(Load16(partial + d)), Set16(factors.range), old), folded + d);
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace bitfetch
HWY_AFTER_NAMESPACE();
#endif  // BITFETCH_FOR_ISA
