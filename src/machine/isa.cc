// SPDX-License-Identifier: Apache-2.0
#include "machine/isa.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <optional>

#if defined(__x86_64__)
#include <asm/prctl.h>
#include <cpuid.h>
#include <hwy/targets.h>
#include <sys/syscall.h>
#include <unistd.h>
#elif defined(__aarch64__)
#include <sys/auxv.h>
#endif

namespace bitfetch {
namespace {

constexpr std::array<std::string_view, 8> kNames = {
    "scalar", "avx2", "avx512", "avx512vnni", "avx512amx", "neon", "neon-dotprod", "neon-i8mm"};

std::string NamesOf(std::span<const Isa> isas) {
  std::vector<std::string_view> names;
  for (Isa isa : isas) names.push_back(IsaName(isa));
  return fmt::format("{}", fmt::join(names, ", "));
}

bool Contains(std::span<const Isa> isas, Isa isa) {
  return std::find(isas.begin(), isas.end(), isa) != isas.end();
}

#if defined(__x86_64__)
// Whether the CPU has products of bytes in tiles (Intel's manual, volume 2, CPUID leaf 7), and the
// system gives leave to use them: without it the first such instruction ends the program.
bool MayUseAmx() {
  constexpr unsigned kAmxTileAndInt8 = 3u << 24;
  constexpr int64_t kTileData = 18;  // XFEATURE_XTILEDATA
  unsigned eax, ebx, ecx, edx;
  return __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) != 0 &&
         (edx & kAmxTileAndInt8) == kAmxTileAndInt8 &&
         syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, kTileData) == 0;
}
#endif

}  // namespace

std::string_view IsaName(Isa isa) { return kNames[static_cast<size_t>(isa)]; }

Result<Isa> ParseIsa(std::string_view name) {
  const auto found = std::find(kNames.begin(), kNames.end(), name);
  if (found == kNames.end()) {
    return Fail("there is no ISA '{}': it is one of {}", name, fmt::join(kNames, ", "));
  }
  return static_cast<Isa>(found - kNames.begin());
}

std::vector<Isa> SupportedIsas() {
  std::vector<Isa> isas = {Isa::kScalar};
#if defined(__x86_64__)
  // A hypervisor takes tens of microseconds to answer, and each new sequence asks.
  static const int64_t targets = hwy::SupportedTargets();
  static const bool amx = MayUseAmx();
  if (targets & HWY_AVX2) isas.push_back(Isa::kAvx2);
  if (targets & HWY_AVX3) isas.push_back(Isa::kAvx512);
  if (targets & HWY_AVX3_DL) isas.push_back(Isa::kAvx512Vnni);
  if ((targets & HWY_AVX3_DL) && amx) isas.push_back(Isa::kAvx512Amx);
#elif defined(__aarch64__)
  // Not Highway's answer: it wants AES for NEON, which no kernel uses and some cores lack.
  isas.push_back(Isa::kNeon);
  const bool dotprod = getauxval(AT_HWCAP) & HWCAP_ASIMDDP;
  if (dotprod) isas.push_back(Isa::kNeonDotprod);
  if (dotprod && (getauxval(AT_HWCAP2) & HWCAP2_I8MM)) isas.push_back(Isa::kNeonI8mm);
#endif
  return isas;
}

Result<Isa> ChooseIsa(std::span<const Isa> built) {
  const char* forced = std::getenv("BITFETCH_ISA");
  return ChooseIsa(built, SupportedIsas(), forced == nullptr ? "" : forced);
}

Result<Isa> ChooseIsa(std::span<const Isa> built, std::span<const Isa> supported,
                      std::string_view forced) {
  if (!forced.empty()) {
    const Result<Isa> isa = ParseIsa(forced);
    if (!isa) return Fail("BITFETCH_ISA: {}", isa.error().message);
    if (!Contains(built, *isa)) {
      return Fail("BITFETCH_ISA: {} is not in this build, which has {}", forced, NamesOf(built));
    }
    if (!Contains(supported, *isa)) {
      return Fail("BITFETCH_ISA: this CPU cannot run {}, only {}", forced, NamesOf(supported));
    }
    return *isa;
  }
  std::optional<Isa> best;
  for (Isa isa : built) {
    if (Contains(supported, isa) && (!best || isa > *best)) best = isa;
  }
  if (!best) {
    return Fail("this CPU runs {}, but this build has only {}", NamesOf(supported), NamesOf(built));
  }
  return *best;
}

}  // namespace bitfetch
