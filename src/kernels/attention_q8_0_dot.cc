// SPDX-License-Identifier: Apache-2.0
// Attention over tiles of q8_0, for each kind of byte products that an ISA may have.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/attention_q8_0_dot.cc"
#include "machine/foreach_isa.h"

#if BITFETCH_FOR_ISA
#include "kernels/attention_codes-inl.h"
#include "kernels/simd.h"

HWY_BEFORE_NAMESPACE();
namespace bitfetch {
namespace HWY_NAMESPACE {

#if HWY_TARGET == HWY_AVX3
const TileProducts vnni::kQ8_0Products = vnni::kCodeProducts<KvType::kQ8_0, QuietLines>;
#elif HWY_TARGET == HWY_NEON
const TileProducts dotprod::kQ8_0Products = dotprod::kCodeProducts<KvType::kQ8_0, QuietLines>;
const TileProducts i8mm::kQ8_0Products = i8mm::kCodeProducts<KvType::kQ8_0, QuietLines>;
#endif

}  // namespace HWY_NAMESPACE
}  // namespace bitfetch
HWY_AFTER_NAMESPACE();
#endif  // BITFETCH_FOR_ISA
