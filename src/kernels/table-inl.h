// SPDX-License-Identifier: Apache-2.0
// All kernels of one Highway target, in a table. Included once for each.

#if defined(BITFETCH_KERNELS_TABLE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef BITFETCH_KERNELS_TABLE_INL_H_
#undef BITFETCH_KERNELS_TABLE_INL_H_
#else
#define BITFETCH_KERNELS_TABLE_INL_H_
#endif

#include "kernels/attention-inl.h"
#include "kernels/dense-inl.h"
#include "kernels/elementwise-inl.h"
#include "kernels/screen-inl.h"
#include "kernels/simd.h"

HWY_BEFORE_NAMESPACE();
namespace bitfetch {
namespace HWY_NAMESPACE {

Kernels Table() {
  return {.isa = {},
          .rms_norm = RmsNorm,
          .quantize = Quantize,
          .ternary_matmul = nullptr,
          .dense_matvec = DenseMatvec,
          .screen_row = ScreenRow,
          .screen = Screen,
          .rope = Rope,
          .relu2_gate = Relu2Gate,
          .silu_gate = SiluGate,
          .add = Add,
          .attend = Attend,
          .fold = Fold};
}

#if HWY_TARGET == HWY_AVX3
Kernels VnniTable() {
  Kernels table = Table();
  table.attend = AttendVnni;
  return table;
}
#elif HWY_TARGET == HWY_NEON
Kernels DotprodTable() {
  Kernels table = Table();
  table.attend = AttendDotprod;
  return table;
}
Kernels I8mmTable() {
  Kernels table = Table();
  table.attend = AttendI8mm;
  return table;
}
#endif

}  // namespace HWY_NAMESPACE
}  // namespace bitfetch
HWY_AFTER_NAMESPACE();

#endif  // BITFETCH_KERNELS_TABLE_INL_H_
