// SPDX-License-Identifier: Apache-2.0
// Codes of an output head's rows times tokens, for each kind of byte products of each ISA.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/screen_simd.cc"
#include "machine/foreach_isa.h"

#if BITFETCH_FOR_ISA
#include <cstdint>
#include <type_traits>

#include "kernels/fetch_into.h"
#include "kernels/simd.h"
#include "kernels/vec16-inl.h"

#define BITFETCH_DOT_SOURCE "kernels/screen-inl.h"
#include "kernels/foreach_dot-inl.h"
#endif  // BITFETCH_FOR_ISA
