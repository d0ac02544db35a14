// SPDX-License-Identifier: Apache-2.0
// Timed attention over tiles of q8_0, for each ISA and kind of integer products.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "bench/timed_attention_q8_0.cc"
#include "machine/foreach_isa.h"

#if BITFETCH_FOR_ISA
#include "bench/shown_lines-inl.h"
#include "kernels/attention_codes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace bitfetch {
namespace HWY_NAMESPACE {

const TimedProducts plain::kQ8_0Timed = {plain::kCodeProducts<KvType::kQ8_0, ShownLines>,
                                         plain::kCodeProducts<KvType::kQ8_0, ShownFetchedLines>};
#if HWY_TARGET == HWY_AVX3
const TimedProducts vnni::kQ8_0Timed = {vnni::kCodeProducts<KvType::kQ8_0, ShownLines>,
                                        vnni::kCodeProducts<KvType::kQ8_0, ShownFetchedLines>};
#elif HWY_TARGET == HWY_NEON
const TimedProducts dotprod::kQ8_0Timed = {
    dotprod::kCodeProducts<KvType::kQ8_0, ShownLines>,
    dotprod::kCodeProducts<KvType::kQ8_0, ShownFetchedLines>};
const TimedProducts i8mm::kQ8_0Timed = {i8mm::kCodeProducts<KvType::kQ8_0, ShownLines>,
                                        i8mm::kCodeProducts<KvType::kQ8_0, ShownFetchedLines>};
#endif

}  // namespace HWY_NAMESPACE
}  // namespace bitfetch
HWY_AFTER_NAMESPACE();
#endif  // BITFETCH_FOR_ISA
