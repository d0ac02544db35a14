// SPDX-License-Identifier: Apache-2.0
#include "kernels/ternary_simd.h"

#include <cstdint>

#include "hwy/base.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define BITFETCH_TERNARY_ISA avx2
#define BITFETCH_TERNARY_TARGET "avx2"
#include "kernels/ternary-inl.h"

#define BITFETCH_TERNARY_VNNI
#define BITFETCH_TERNARY_ISA avx512vnni
#define BITFETCH_TERNARY_TARGET "avx2,avx512f,avx512vl,avx512bw,avx512vnni"
#include "kernels/ternary-inl.h"

#elif defined(__aarch64__)
#include <arm_neon.h>

#define BITFETCH_TERNARY_ISA neon
#define BITFETCH_TERNARY_TARGET "+simd"
#include "kernels/ternary-inl.h"
#endif
