// SPDX-License-Identifier: Apache-2.0
#include "kernels/kernels.h"

#include <algorithm>

#include "kernels/scalar.h"
#include "kernels/simd.h"
#include "kernels/ternary_simd.h"

namespace bitfetch {
namespace {

#define BITFETCH_TABLE(name, target, dot, ternary, groups)                                         \
  {                                                                                                \
    .isa = Isa::name, .rms_norm = target::RmsNorm, .quantize = target::Quantize,                   \
    .ternary_matmul = ternary::TernaryMatmul, .quantize_groups = target::QuantizeGroups,           \
    .ternary_groups_matmul = groups::TernaryGroupsMatmul, .dense_matmul = target::DenseMatmul,     \
    .screen_row = target::ScreenRow, .screen = dot::Screen, .rope = target::Rope,                  \
    .relu2_gate = target::Relu2Gate, .silu_gate = target::SiluGate, .gelu_gate = target::GeluGate, \
    .add = target::Add, .attend = dot::Attend, .fold = target::Fold                                \
  }

// What is built, best last.
constexpr Kernels kBuilt[] = {
    BITFETCH_TABLE(kScalar, scalar, scalar, scalar, scalar),
#if defined(__x86_64__)
#ifndef BITFETCH_WITHOUT_AVX2
    BITFETCH_TABLE(kAvx2, N_AVX2, N_AVX2::plain, avx2, N_AVX2::plain),
#endif
#ifndef BITFETCH_WITHOUT_AVX512
    BITFETCH_TABLE(kAvx512, N_AVX3, N_AVX3::plain, avx512, N_AVX3::plain),
#endif
#ifndef BITFETCH_WITHOUT_AVX512VNNI
    BITFETCH_TABLE(kAvx512Vnni, N_AVX3, N_AVX3::vnni, avx512vnni, N_AVX3::vnni),
    BITFETCH_TABLE(kAvx512Amx, N_AVX3, N_AVX3::vnni, avx512amx, avx512amx),
#endif
#elif defined(__aarch64__)
    BITFETCH_TABLE(kNeon, N_NEON, N_NEON::plain, neon, N_NEON::plain),
    BITFETCH_TABLE(kNeonDotprod, N_NEON, N_NEON::dotprod, neon_dotprod, N_NEON::dotprod),
    BITFETCH_TABLE(kNeonI8mm, N_NEON, N_NEON::i8mm, neon_i8mm, N_NEON::i8mm),
#endif
};
#undef BITFETCH_TABLE

}  // namespace

const std::vector<const Kernels*>& SupportedKernels() {
  static const std::vector<const Kernels*> supported = [] {
    const std::vector<Isa> isas = SupportedIsas();
    std::vector<const Kernels*> tables;
    for (const Kernels& table : kBuilt) {
      if (std::ranges::find(isas, table.isa) != isas.end()) tables.push_back(&table);
    }
    return tables;
  }();
  return supported;
}

Result<const Kernels*> ChooseKernels() {
  std::vector<Isa> built;
  for (const Kernels& table : kBuilt) built.push_back(table.isa);
  BITFETCH_ASSIGN_OR_RETURN(const Isa isa, ChooseIsa(built));
  return *std::ranges::find(SupportedKernels(), isa, &Kernels::isa);
}

}  // namespace bitfetch
