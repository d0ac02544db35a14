// SPDX-License-Identifier: Apache-2.0
#include "kernels/ternary_simd.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include "hwy/base.h"
#include "kernels/fetch_into.h"
#include "kernels/ternary_fives.h"

#if defined(__x86_64__)
#include "kernels/intrinsics.h"

#ifndef BITFETCH_WITHOUT_AVX2
#define BITFETCH_TERNARY_ISA avx2
#define BITFETCH_TERNARY_TARGET "avx2"
#define BITFETCH_TERNARY_LEAVES "kernels/ternary_avx2-inl.h"
#include "kernels/ternary-inl.h"
#endif

#ifndef BITFETCH_WITHOUT_AVX512
#define BITFETCH_TERNARY_ISA avx512
#define BITFETCH_TERNARY_TARGET "avx2,avx512f,avx512bw"
#define BITFETCH_TERNARY_LEAVES "kernels/ternary_avx512-inl.h"
#include "kernels/ternary-inl.h"
#endif

#ifndef BITFETCH_WITHOUT_AVX512VNNI
#define BITFETCH_TERNARY_VNNI
#define BITFETCH_TERNARY_ISA avx512vnni
#define BITFETCH_TERNARY_TARGET "avx2,avx512f,avx512bw,avx512vl,avx512vnni,avx512vbmi"
#define BITFETCH_TERNARY_LEAVES "kernels/ternary_avx512-inl.h"
#include "kernels/ternary-inl.h"
#include "kernels/ternary_amx-inl.h"
#endif

#elif defined(__aarch64__)
#include <arm_neon.h>

#define BITFETCH_TERNARY_ISA neon
#define BITFETCH_TERNARY_TARGET "+simd"
#define BITFETCH_TERNARY_LEAVES "kernels/ternary_neon-inl.h"
#include "kernels/ternary-inl.h"

#define BITFETCH_TERNARY_DOTPROD
#define BITFETCH_TERNARY_ISA neon_dotprod
#define BITFETCH_TERNARY_TARGET "arch=armv8.2-a+dotprod"
#define BITFETCH_TERNARY_LEAVES "kernels/ternary_neon-inl.h"
#include "kernels/ternary-inl.h"

#define BITFETCH_TERNARY_DOTPROD
#define BITFETCH_TERNARY_I8MM
#define BITFETCH_TERNARY_ISA neon_i8mm
#define BITFETCH_TERNARY_TARGET "arch=armv8.2-a+dotprod+i8mm"
#define BITFETCH_TERNARY_LEAVES "kernels/ternary_neon-inl.h"
#include "kernels/ternary-inl.h"
#endif
