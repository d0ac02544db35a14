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

#define BITFETCH_DOT_SOURCE "kernels/attention_int-inl.h"
#include "kernels/foreach_dot-inl.h"

#endif  // BITFETCH_KERNELS_ATTENTION_CODES_INL_H_
