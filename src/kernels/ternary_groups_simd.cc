// SPDX-License-Identifier: Apache-2.0
// Products with weights that are ternary by group, for each kind of byte products of each ISA.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/ternary_groups_simd.cc"
#include "machine/foreach_isa.h"

#if BITFETCH_FOR_ISA
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "kernels/simd.h"
#include "kernels/vec16-inl.h"
#include "prefetch/instruction.h"

#define BITFETCH_DOT plain
#include "kernels/ternary_groups-inl.h"

#if HWY_TARGET == HWY_AVX3
#define BITFETCH_DOT vnni
#define BITFETCH_DOT_TARGET HWY_TARGET_STR ",avx512vnni"
#define BITFETCH_DOT_VNNI
#include "kernels/ternary_groups-inl.h"
#elif HWY_TARGET == HWY_NEON
// With crypto, as Highway's target has it: GCC inlines nothing into functions that may do less.
#define BITFETCH_DOT dotprod
#define BITFETCH_DOT_TARGET "arch=armv8.2-a+crypto+dotprod"
#define BITFETCH_DOT_DOTPROD
#include "kernels/ternary_groups-inl.h"

#define BITFETCH_DOT i8mm
#define BITFETCH_DOT_TARGET "arch=armv8.2-a+crypto+dotprod+i8mm"
#define BITFETCH_DOT_DOTPROD
#include "kernels/ternary_groups-inl.h"
#endif
#endif  // BITFETCH_FOR_ISA
