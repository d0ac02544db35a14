// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_BASE_TEST_EFFORT_H_
#define BITFETCH_BASE_TEST_EFFORT_H_

#include "base/sanitized.h"

namespace bitfetch {

// For tests: whether each instruction costs tens of times what it costs elsewhere, under a
// sanitizer or in an emulator. What tries many inputs then tries a part of them: all were tried
// where they cost little.
#ifdef BITFETCH_EMULATED
inline constexpr bool kIsSlow = true;
#else
inline constexpr bool kIsSlow = kIsSanitized;
#endif

// So many of `all` rounds.
constexpr int Rounds(int all) { return kIsSlow ? (all + 7) / 8 : all; }

}  // namespace bitfetch

#endif  // BITFETCH_BASE_TEST_EFFORT_H_
