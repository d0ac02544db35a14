// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_KERNELS_WEIGHTS_ACCESS_H_
#define BITFETCH_KERNELS_WEIGHTS_ACCESS_H_

#include <array>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/memory.h"
#include "machine/isa.h"
#include "prefetch/law.h"

namespace bitfetch {

// What kernels read of weights: ternary rows, four codes or five in a byte; weights that are
// ternary by group; four bits of an output head's copy.
enum class WeightsKind { kFours, kFives, kGroups, kScreen };
inline constexpr std::array kWeightsKinds = {WeightsKind::kFours, WeightsKind::kFives,
                                             WeightsKind::kGroups, WeightsKind::kScreen};

std::string_view WeightsKindName(WeightsKind kind);  // "fours", "fives", "groups", "screen"
Result<WeightsKind> ParseWeightsKind(std::string_view text);

// Their kernel on that ISA as the machine profile names it: "avx2 fours".
std::string WeightsName(Isa isa, WeightsKind kind);

// Rows, or strips of them, that kernels take side by side for a single token, each from a stream.
inline constexpr int kMaxRowStreams = 4;

// How a token reads them: what the prefetch law is to be asked with.
PrefetchAccess WeightsAccess(Isa isa, WeightsKind kind, PageSize pages, int threads);

// What the law says to all of them.
struct WeightsPlans {
  PrefetchPlan fours_4k = {};  // where they lie in the mapped file; all others lie on huge pages
  PrefetchPlan fours = {};
  PrefetchPlan fives = {};
  PrefetchPlan groups = {};
  PrefetchPlan screen = {};
};
WeightsPlans ChooseWeightsPlans(const MachineProfile& profile, Isa isa, int threads);

}  // namespace bitfetch

#endif  // BITFETCH_KERNELS_WEIGHTS_ACCESS_H_
