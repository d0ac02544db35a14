// SPDX-License-Identifier: Apache-2.0
// BITFETCH_DOT_SOURCE in the namespace BITFETCH_DOT and, where that kind of byte products needs
// more than the ISA, with the attributes BITFETCH_DOT_TARGET. Included by foreach_dot-inl.h, for
// which it forgets the kind.

#ifdef BITFETCH_DOT_TARGET
HWY_PUSH_ATTRIBUTES(BITFETCH_DOT_TARGET)
#pragma push_macro("BITFETCH_LAMBDA")
#undef BITFETCH_LAMBDA
#define BITFETCH_LAMBDA __attribute__((target(BITFETCH_DOT_TARGET))) BITFETCH_LAMBDA_INLINE
#else
HWY_BEFORE_NAMESPACE();
#endif
namespace bitfetch {
namespace HWY_NAMESPACE {
namespace BITFETCH_DOT {

#ifdef BITFETCH_DOT_TARGET
#include "kernels/unroll-inl.h"
#endif
#include BITFETCH_DOT_SOURCE

}  // namespace BITFETCH_DOT
}  // namespace HWY_NAMESPACE
}  // namespace bitfetch
#ifdef BITFETCH_DOT_TARGET
#pragma pop_macro("BITFETCH_LAMBDA")
HWY_POP_ATTRIBUTES
#else
HWY_AFTER_NAMESPACE();
#endif

#undef BITFETCH_DOT
#undef BITFETCH_DOT_TARGET
#undef BITFETCH_DOT_VNNI
#undef BITFETCH_DOT_DOTPROD
#undef BITFETCH_DOT_I8MM
