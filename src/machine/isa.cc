// SPDX-License-Identifier: Apache-2.0
#include "machine/isa.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <optional>

#if defined(__x86_64__)
#include <hwy/targets.h>
#elif defined(__aarch64__)
#include <sys/auxv.h>
#endif

namespace bitfetch {
namespace {

constexpr std::array<std::string_view, 7> kNames = {
    "scalar", "avx2", "avx512", "avx512vnni", "neon", "neon-dotprod", "neon-i8mm"};

std::string NamesOf(std::span<const Isa> isas) {
  std::vector<std::string_view> names;
  for (Isa isa : isas) names.push_back(IsaName(isa));
  return fmt::format("{}", fmt::join(names, ", "));
}

bool Contains(std::span<const Isa> isas, Isa isa) {
  return std::find(isas.begin(), isas.end(), isa) != isas.end();
}

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
  if (targets & HWY_AVX2) isas.push_back(Isa::kAvx2);
  if (targets & HWY_AVX3) isas.push_back(Isa::kAvx512);
  if (targets & HWY_AVX3_DL) isas.push_back(Isa::kAvx512Vnni);
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
