// SPDX-License-Identifier: Apache-2.0
#include "machine/isa.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

namespace bitfetch {
namespace {

using ::testing::HasSubstr;

constexpr Isa kAll[] = {Isa::kScalar,    Isa::kAvx2, Isa::kAvx512,      Isa::kAvx512Vnni,
                        Isa::kAvx512Amx, Isa::kNeon, Isa::kNeonDotprod, Isa::kNeonI8mm};

TEST(Isa, NamesParseBack) {
  for (Isa isa : kAll) EXPECT_EQ(ParseIsa(IsaName(isa)).value(), isa);
  EXPECT_EQ(IsaName(Isa::kNeonDotprod), "neon-dotprod");
  EXPECT_EQ(IsaName(Isa::kAvx512Vnni), "avx512vnni");
}

TEST(Isa, AnUnknownNameListsTheKnownOnes) {
  for (const char* name : {"", "sse4", "AVX2", "avx2 "}) {
    const auto isa = ParseIsa(name);
    ASSERT_FALSE(isa.has_value()) << name;
    EXPECT_THAT(isa.error().message, HasSubstr(fmt::format("'{}'", name)));
    for (Isa known : kAll) {
      EXPECT_THAT(isa.error().message, HasSubstr(std::string(IsaName(known))));
    }
  }
}

TEST(Isa, ThisMachineRunsScalarAndNothingOfAnotherArchitecture) {
  const auto isas = SupportedIsas();
  ASSERT_FALSE(isas.empty());
  EXPECT_EQ(isas.front(), Isa::kScalar);
  EXPECT_TRUE(std::is_sorted(isas.begin(), isas.end()));
#if defined(__x86_64__)
  EXPECT_LT(isas.back(), Isa::kNeon);
  std::ifstream file("/proc/cpuinfo");
  const std::string cpuinfo(std::istreambuf_iterator<char>(file), {});
  const bool has_avx2 = std::find(isas.begin(), isas.end(), Isa::kAvx2) != isas.end();
  EXPECT_EQ(has_avx2, cpuinfo.find(" avx2") != std::string::npos);
#elif defined(__aarch64__)
  EXPECT_GE(isas.back(), Isa::kNeon);
#endif
}

TEST(ChooseIsa, TakesTheBestThatIsBothBuiltAndSupported) {
  const Isa supported[] = {Isa::kScalar, Isa::kAvx2, Isa::kAvx512};
  const Isa built[] = {Isa::kAvx512Vnni, Isa::kAvx2, Isa::kScalar};
  EXPECT_EQ(ChooseIsa(built, supported, "").value(), Isa::kAvx2);
  const Isa foreign[] = {Isa::kNeon};
  EXPECT_THAT(ChooseIsa(foreign, supported, "").error().message, HasSubstr("has only neon"));
}

TEST(ChooseIsa, CanBeForced) {
  const Isa supported[] = {Isa::kScalar, Isa::kAvx2};
  const Isa built[] = {Isa::kScalar, Isa::kAvx2, Isa::kAvx512};
  EXPECT_EQ(ChooseIsa(built, supported, "scalar").value(), Isa::kScalar);
  EXPECT_EQ(ChooseIsa(built, supported, "avx512").error().message,
            "BITFETCH_ISA: this CPU cannot run avx512, only scalar, avx2");
  EXPECT_EQ(ChooseIsa(built, supported, "neon").error().message,
            "BITFETCH_ISA: neon is not in this build, which has scalar, avx2, avx512");
  EXPECT_THAT(ChooseIsa(built, supported, "mmx").error().message,
              HasSubstr("BITFETCH_ISA: there is no ISA 'mmx'"));
}

TEST(ChooseIsa, ReadsTheEnvironment) {
  const char* const old = getenv("BITFETCH_ISA");
  const std::string saved = old == nullptr ? "" : old;
  setenv("BITFETCH_ISA", "scalar", 1);
  EXPECT_EQ(ChooseIsa(kAll).value(), Isa::kScalar);
  setenv("BITFETCH_ISA", "", 1);
  EXPECT_EQ(ChooseIsa(kAll).value(), SupportedIsas().back());
  unsetenv("BITFETCH_ISA");
  EXPECT_EQ(ChooseIsa(kAll).value(), SupportedIsas().back());
  if (old != nullptr) setenv("BITFETCH_ISA", saved.c_str(), 1);
}

}  // namespace
}  // namespace bitfetch
