// SPDX-License-Identifier: Apache-2.0
// Attention over tiles of bf16, for each ISA.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/attention_bf16.cc"
#include "machine/foreach_isa.h"

#if BITFETCH_FOR_ISA
#include "kernels/attention_float-inl.h"
#include "kernels/simd.h"

HWY_BEFORE_NAMESPACE();
namespace bitfetch {
namespace HWY_NAMESPACE {

const TileProducts kBF16Products = kFloatProducts<hwy::bfloat16_t, QuietLines>;

}  // namespace HWY_NAMESPACE
}  // namespace bitfetch
HWY_AFTER_NAMESPACE();
#endif  // BITFETCH_FOR_ISA
