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

// Of an ISA: code that makes its table may be of that ISA itself, and runs only where the CPU has
// it.
struct Built {
  Isa isa;
  Kernels (*table)();
  TernaryMatmul ternary_matmul;
};

// Best last.
constexpr Built kBuilt[] = {
    {Isa::kScalar, ScalarTable, scalar::TernaryMatmul},
#if defined(__x86_64__)
    {Isa::kAvx2, N_AVX2::Table, avx2::TernaryMatmul},
    {Isa::kAvx512, N_AVX3::Table, avx512::TernaryMatmul},
    {Isa::kAvx512Vnni, N_AVX3::VnniTable, avx512vnni::TernaryMatmul},
#elif defined(__aarch64__)
    {Isa::kNeon, N_NEON::Table, neon::TernaryMatmul},
    {Isa::kNeonDotprod, N_NEON::DotprodTable, neon_dotprod::TernaryMatmul},
    {Isa::kNeonI8mm, N_NEON::I8mmTable, neon_i8mm::TernaryMatmul},
#endif
};

std::vector<Kernels> MakeSupported() {
  const std::vector<Isa> isas = SupportedIsas();
  std::vector<Kernels> tables;
  for (const Built& built : kBuilt) {
    if (std::ranges::find(isas, built.isa) == isas.end()) continue;
    Kernels& table = tables.emplace_back(built.table());
    table.isa = built.isa;
    table.ternary_matmul = built.ternary_matmul;
  }
  return tables;
}

}  // namespace

const std::vector<const Kernels*>& SupportedKernels() {
  static const std::vector<Kernels> tables = MakeSupported();
  static const std::vector<const Kernels*> supported = [] {
    std::vector<const Kernels*> all;
    for (const Kernels& table : tables) all.push_back(&table);
    return all;
  }();
  return supported;
}

Result<const Kernels*> ChooseKernels() {
  std::vector<Isa> built;
  for (const Built& one : kBuilt) built.push_back(one.isa);
  BITFETCH_ASSIGN_OR_RETURN(const Isa isa, ChooseIsa(built));
  return *std::ranges::find(SupportedKernels(), isa, &Kernels::isa);
}

}  // namespace bitfetch
