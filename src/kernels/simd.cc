// SPDX-License-Identifier: Apache-2.0
// Compiles the kernels once for each ISA that Highway knows and we use. Its SSE targets and
// emulations don't fuse multiply-add, so they are off; our own scalar kernels take their place.
#define HWY_DISABLED_TARGETS \
  (HWY_SSSE3 | HWY_SSE4 | HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128)
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/simd.cc"
#include "hwy/foreach_target.h"
// Comes after foreach_target.h, which chooses what it defines.
#include "hwy/highway.h"

#if HWY_TARGET != HWY_SCALAR && HWY_TARGET != HWY_EMU128

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
#endif

}  // namespace HWY_NAMESPACE
}  // namespace bitfetch
HWY_AFTER_NAMESPACE();

#endif  // SIMD target
