// SPDX-License-Identifier: Apache-2.0
// Attention over tiles of q4_0, for each ISA, without its byte products.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/attention_q4_0.cc"
#include "machine/foreach_isa.h"

#if BITFETCH_FOR_ISA
#include "kernels/attention_codes-inl.h"
#include "kernels/simd.h"

HWY_BEFORE_NAMESPACE();
namespace bitfetch {
namespace HWY_NAMESPACE {

const TileProducts plain::kQ4_0Products = plain::kCodeProducts<KvType::kQ4_0, QuietLines>;

}  // namespace HWY_NAMESPACE
}  // namespace bitfetch
HWY_AFTER_NAMESPACE();
#endif  // BITFETCH_FOR_ISA
