// SPDX-License-Identifier: Apache-2.0
// Compiles BITFETCH_DOT_SOURCE once for each kind of byte products that the ISA at hand has, in a
// namespace each: `plain` needs no more than the ISA; for the others BITFETCH_DOT_VNNI,
// BITFETCH_DOT_DOTPROD or BITFETCH_DOT_I8MM is defined.

#define BITFETCH_DOT plain
#include "kernels/dot_namespace-inl.h"

#if HWY_TARGET == HWY_AVX3
// Highway's own target with VNNI has AVX-VNNI as well, which no CPU with AVX-512 needs to have.
#define BITFETCH_DOT vnni
#define BITFETCH_DOT_TARGET HWY_TARGET_STR ",avx512vnni"
#define BITFETCH_DOT_VNNI
#include "kernels/dot_namespace-inl.h"
#elif HWY_TARGET == HWY_NEON
// With crypto, as Highway's target has it: GCC inlines nothing into functions that may do less.
#define BITFETCH_DOT dotprod
#define BITFETCH_DOT_TARGET "arch=armv8.2-a+crypto+dotprod"
#define BITFETCH_DOT_DOTPROD
#include "kernels/dot_namespace-inl.h"

#define BITFETCH_DOT i8mm
#define BITFETCH_DOT_TARGET "arch=armv8.2-a+crypto+dotprod+i8mm"
#define BITFETCH_DOT_I8MM
#include "kernels/dot_namespace-inl.h"
#endif

#undef BITFETCH_DOT_SOURCE
