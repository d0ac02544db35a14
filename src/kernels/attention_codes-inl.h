// SPDX-License-Identifier: Apache-2.0
// Attention over quantised tiles, for each kind of integer products that an ISA has: a namespace
// each. Included once for each ISA.

#if defined(BITFETCH_KERNELS_ATTENTION_CODES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef BITFETCH_KERNELS_ATTENTION_CODES_INL_H_
#undef BITFETCH_KERNELS_ATTENTION_CODES_INL_H_
#else
#define BITFETCH_KERNELS_ATTENTION_CODES_INL_H_
#endif

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "kernels/ahead_lines-inl.h"
#include "kernels/attention_int.h"
#include "kernels/tile_products.h"
#include "kernels/vec16-inl.h"

#define BITFETCH_DOT plain
#include "kernels/attention_int-inl.h"

#if HWY_TARGET == HWY_AVX3
// Highway's own target with VNNI has AVX-VNNI as well, which no CPU with AVX-512 needs to have.
#define BITFETCH_DOT vnni
#define BITFETCH_DOT_TARGET HWY_TARGET_STR ",avx512vnni"
#define BITFETCH_DOT_VNNI
#include "kernels/attention_int-inl.h"
#elif HWY_TARGET == HWY_NEON
// With crypto, as Highway's target has it: GCC inlines nothing into functions that may do less.
#define BITFETCH_DOT dotprod
#define BITFETCH_DOT_TARGET "arch=armv8.2-a+crypto+dotprod"
#define BITFETCH_DOT_DOTPROD
#include "kernels/attention_int-inl.h"

#define BITFETCH_DOT i8mm
#define BITFETCH_DOT_TARGET "arch=armv8.2-a+crypto+dotprod+i8mm"
#define BITFETCH_DOT_I8MM
#include "kernels/attention_int-inl.h"
#endif

#endif  // BITFETCH_KERNELS_ATTENTION_CODES_INL_H_
