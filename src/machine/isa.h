// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_MACHINE_ISA_H_
#define BITFETCH_MACHINE_ISA_H_

#include <span>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace bitfetch {

// What kernels are compiled for, better ones later. Every one gives the same bits.
enum class Isa {
  kScalar,
  kAvx2,        // with FMA and F16C (Highway's AVX2)
  kAvx512,      // F, BW, CD, DQ, VL (Highway's AVX3)
  kAvx512Vnni,  // with VNNI, VBMI, VBMI2 and BITALG: Ice Lake, Zen 4 (Highway's AVX3_DL)
  kAvx512Amx,   // with AMX-TILE and AMX-INT8: Sapphire Rapids
  kNeon,        // ARMv8.0
  kNeonDotprod,
  kNeonI8mm,  // with the dot products
};

// scalar, avx2, avx512, avx512vnni, avx512amx, neon, neon-dotprod, neon-i8mm.
std::string_view IsaName(Isa isa);

// Fails for any other name, and lists these.
Result<Isa> ParseIsa(std::string_view name);

// What this CPU and its operating system can run, best last; never empty. The first call asks the
// system's leave for AMX's tiles, for all threads.
std::vector<Isa> SupportedIsas();

// The best of `built` that this machine can run, or the one that the environment variable
// BITFETCH_ISA names (empty counts as unset). Fails when that name is unknown, not built, or more
// than this CPU can run.
Result<Isa> ChooseIsa(std::span<const Isa> built);

// The rule behind it, without machine or environment.
Result<Isa> ChooseIsa(std::span<const Isa> built, std::span<const Isa> supported,
                      std::string_view forced);

}  // namespace bitfetch

#endif  // BITFETCH_MACHINE_ISA_H_
