// SPDX-License-Identifier: Apache-2.0
// Attention over tiles of q8_0, for each ISA and kind of integer products.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/attention_q8_0.cc"
#include "machine/foreach_isa.h"

#if BITFETCH_FOR_ISA
#include "kernels/attention_codes-inl.h"
#include "kernels/simd.h"

HWY_BEFORE_NAMESPACE();
namespace bitfetch {
namespace HWY_NAMESPACE {

const TurnProducts plain::kQ8_0Products = {plain::kCodeProducts<KvType::kQ8_0, FetchedLines>,
                                           plain::kCodeProducts<KvType::kQ8_0, PlainLines>};
#if HWY_TARGET == HWY_AVX3
const TurnProducts vnni::kQ8_0Products = {vnni::kCodeProducts<KvType::kQ8_0, FetchedLines>,
                                          vnni::kCodeProducts<KvType::kQ8_0, PlainLines>};
#elif HWY_TARGET == HWY_NEON
const TurnProducts dotprod::kQ8_0Products = {dotprod::kCodeProducts<KvType::kQ8_0, FetchedLines>,
                                             dotprod::kCodeProducts<KvType::kQ8_0, PlainLines>};
const TurnProducts i8mm::kQ8_0Products = {i8mm::kCodeProducts<KvType::kQ8_0, FetchedLines>,
                                          i8mm::kCodeProducts<KvType::kQ8_0, PlainLines>};
#endif

}  // namespace HWY_NAMESPACE
}  // namespace bitfetch
HWY_AFTER_NAMESPACE();
#endif  // BITFETCH_FOR_ISA
