// SPDX-License-Identifier: Apache-2.0
#include "kernels/weights_access.h"

#include <fmt/format.h>

namespace bitfetch {
namespace {

// Of weights with nothing beside: groups of 64 have a scale in f16.
double ValueBits(WeightsKind kind) {
  switch (kind) {
    case WeightsKind::kFours:
      return 2;
    case WeightsKind::kFives:
      return 1.6;
    case WeightsKind::kGroups:
      return 2.25;
    case WeightsKind::kScreen:
      break;
  }
  return 4;
}

// What a thread reads on end in the smallest stages of BitNet b1.58 2B4T, of which each thread
// takes four runs, and in a run of the output head.
constexpr int64_t kStageBytes = 2560 * 2560 / 5;
constexpr int64_t kRunsOfAThread = 4;
constexpr int64_t kScreenRunBytes = 64 * 2560 / 2;

}  // namespace

std::string_view WeightsKindName(WeightsKind kind) {
  constexpr std::array<std::string_view, kWeightsKinds.size()> kNames = {"fours", "fives", "groups",
                                                                         "screen"};
  return kNames[static_cast<size_t>(kind)];
}

Result<WeightsKind> ParseWeightsKind(std::string_view text) {
  for (const WeightsKind kind : kWeightsKinds) {
    if (text == WeightsKindName(kind)) return kind;
  }
  return Fail("'{}' is not known: wanted fours, fives, groups or screen", text);
}

std::string WeightsName(Isa isa, WeightsKind kind) {
  return fmt::format("{} {}", IsaName(isa), WeightsKindName(kind));
}

PrefetchAccess WeightsAccess(Isa isa, WeightsKind kind, PageSize pages, int threads) {
  return {.kernel = WeightsName(isa, kind),
          .value_bits = ValueBits(kind),
          .pages = pages,
          .threads = threads,
          .data = KernelData::kWeights,
          .run_bytes = kind == WeightsKind::kScreen ? kScreenRunBytes
                                                    : kStageBytes / (kRunsOfAThread * threads),
          .max_streams = kMaxRowStreams};
}

WeightsPlans ChooseWeightsPlans(const MachineProfile& profile, Isa isa, int threads) {
  const auto plan = [&](WeightsKind kind, PageSize pages) {
    return ChoosePrefetch(profile, WeightsAccess(isa, kind, pages, threads));
  };
  return {.fours_4k = plan(WeightsKind::kFours, PageSize::k4K),
          .fours = plan(WeightsKind::kFours, PageSize::kHuge),
          .fives = plan(WeightsKind::kFives, PageSize::kHuge),
          .groups = plan(WeightsKind::kGroups, PageSize::kHuge),
          .screen = plan(WeightsKind::kScreen, PageSize::kHuge)};
}

}  // namespace bitfetch
