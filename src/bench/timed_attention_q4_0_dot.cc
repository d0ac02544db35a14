// SPDX-License-Identifier: Apache-2.0
// Timed attention over tiles of q4_0, for each kind of byte products that an ISA may have.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "bench/timed_attention_q4_0_dot.cc"
#include "machine/foreach_isa.h"

#if BITFETCH_FOR_ISA
#include "bench/shown_lines-inl.h"
#include "kernels/attention_codes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace bitfetch {
namespace HWY_NAMESPACE {

#if HWY_TARGET == HWY_AVX3
const TileProducts vnni::kQ4_0Timed = vnni::kCodeProducts<KvType::kQ4_0, ShownLines>;
#elif HWY_TARGET == HWY_NEON
const TileProducts dotprod::kQ4_0Timed = dotprod::kCodeProducts<KvType::kQ4_0, ShownLines>;
const TileProducts i8mm::kQ4_0Timed = i8mm::kCodeProducts<KvType::kQ4_0, ShownLines>;
#endif

}  // namespace HWY_NAMESPACE
}  // namespace bitfetch
HWY_AFTER_NAMESPACE();
#endif  // BITFETCH_FOR_ISA
