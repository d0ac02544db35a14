// SPDX-License-Identifier: Apache-2.0
// Timed attention over tiles of q4_0, for each ISA, without its byte products.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "bench/timed_attention_q4_0.cc"
#include "machine/foreach_isa.h"

#if BITFETCH_FOR_ISA
#include "bench/shown_lines-inl.h"
#include "kernels/attention_codes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace bitfetch {
namespace HWY_NAMESPACE {

const TileProducts plain::kQ4_0Timed = plain::kCodeProducts<KvType::kQ4_0, ShownLines>;

}  // namespace HWY_NAMESPACE
}  // namespace bitfetch
HWY_AFTER_NAMESPACE();
#endif  // BITFETCH_FOR_ISA
