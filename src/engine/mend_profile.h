// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_ENGINE_MEND_PROFILE_H_
#define BITFETCH_ENGINE_MEND_PROFILE_H_

#include <string_view>

#include "prefetch/plan_watch.h"

namespace bitfetch {

// Takes what the watch found better into the profile that is kept for this machine as it is now,
// for another process may have measured meanwhile. If none is kept that holds the kernel, the next
// run measures it, and nothing is done. Nor is anything said if it can't be kept: this run has what
// it needs. Costs some milliseconds.
void MendKeptProfile(const PlanWatch& watch, std::string_view kernel);

}  // namespace bitfetch

#endif  // BITFETCH_ENGINE_MEND_PROFILE_H_
