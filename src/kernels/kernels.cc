// SPDX-License-Identifier: Apache-2.0
#include "kernels/kernels.h"

#include <algorithm>

#include "kernels/scalar.h"
#include "kernels/simd.h"
#include "kernels/ternary_simd.h"

namespace bitfetch {
namespace {

Kernels ScalarTable() {
  return {.isa = Isa::kScalar,
          .rms_norm = scalar::RmsNorm,
          .quantize = scalar::Quantize,
          .ternary_matmul = scalar::TernaryMatmul,
          .dense_matvec = scalar::DenseMatvec,
          .screen_row = scalar::ScreenRow,
          .screen = scalar::Screen,
          .rope = scalar::Rope,
          .relu2_gate = scalar::Relu2Gate,
          .silu_gate = scalar::SiluGate,
          .add = scalar::Add,
          .attend = scalar::Attend,
          .fold = scalar::Fold};
}

using TernaryMatmul = decltype(Kernels::ternary_matmul);

[[maybe_unused]] Kernels SimdTable(Isa isa, Kernels table, TernaryMatmul ternary_matmul) {
  table.isa = isa;
  table.ternary_matmul = ternary_matmul;
  return table;
}

// Every table of this build, best last.
const std::vector<Kernels>& BuiltKernels() {
  static const std::vector<Kernels> tables = {
    ScalarTable(),
#if defined(__x86_64__)
    SimdTable(Isa::kAvx2, N_AVX2::Table(), avx2::TernaryMatmul),
    SimdTable(Isa::kAvx512, N_AVX3::Table(), avx512::TernaryMatmul),
    SimdTable(Isa::kAvx512Vnni, N_AVX3::VnniTable(), avx512vnni::TernaryMatmul),
#elif defined(__aarch64__)
    SimdTable(Isa::kNeon, N_NEON::Table(), neon::TernaryMatmul),
    SimdTable(Isa::kNeonDotprod, N_NEON::DotprodTable(), neon_dotprod::TernaryMatmul),
    SimdTable(Isa::kNeonI8mm, N_NEON::I8mmTable(), neon_i8mm::TernaryMatmul),
#endif
  };
  return tables;
}

}  // namespace

const std::vector<const Kernels*>& SupportedKernels() {
  static const std::vector<const Kernels*> supported = [] {
    const std::vector<Isa> isas = SupportedIsas();
    std::vector<const Kernels*> tables;
    for (const Kernels& table : BuiltKernels()) {
      if (std::find(isas.begin(), isas.end(), table.isa) != isas.end()) tables.push_back(&table);
    }
    return tables;
  }();
  return supported;
}

Result<const Kernels*> ChooseKernels() {
  std::vector<Isa> built;
  for (const Kernels& table : BuiltKernels()) built.push_back(table.isa);
  BITFETCH_ASSIGN_OR_RETURN(const Isa isa, ChooseIsa(built));
  for (const Kernels* table : SupportedKernels()) {
    if (table->isa == isa) return table;
  }
  return Fail("no kernels for {}", IsaName(isa));
}

}  // namespace bitfetch
