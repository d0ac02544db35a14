// SPDX-License-Identifier: Apache-2.0
// Timed attention over tiles of f32, for each ISA.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "bench/timed_attention_f32.cc"
#include "machine/foreach_isa.h"

#if BITFETCH_FOR_ISA
#include "bench/shown_lines-inl.h"
#include "kernels/attention_float-inl.h"

HWY_BEFORE_NAMESPACE();
namespace bitfetch {
namespace HWY_NAMESPACE {

const TileProducts kF32Timed = kFloatProducts<float, ShownLines>;

}  // namespace HWY_NAMESPACE
}  // namespace bitfetch
HWY_AFTER_NAMESPACE();
#endif  // BITFETCH_FOR_ISA
