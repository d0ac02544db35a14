// SPDX-License-Identifier: Apache-2.0
// Attention over tiles of q8_0, for each ISA, without its byte products.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/attention_q8_0.cc"
#include "machine/foreach_isa.h"

#if BITFETCH_FOR_ISA
#include "kernels/attention_codes-inl.h"
#include "kernels/simd.h"

HWY_BEFORE_NAMESPACE();
namespace bitfetch {
namespace HWY_NAMESPACE {

const TileProducts plain::kQ8_0Products = plain::kCodeProducts<KvType::kQ8_0, QuietLines>;

}  // namespace HWY_NAMESPACE
}  // namespace bitfetch
HWY_AFTER_NAMESPACE();
#endif  // BITFETCH_FOR_ISA
