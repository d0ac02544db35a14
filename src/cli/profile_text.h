// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_CLI_PROFILE_TEXT_H_
#define BITFETCH_CLI_PROFILE_TEXT_H_

#include <string>

#include "machine/profile.h"

namespace bitfetch {

// What was measured, a line for each figure, the names in a column of 26.
std::string ProfileText(const MachineProfile& profile);

}  // namespace bitfetch

#endif  // BITFETCH_CLI_PROFILE_TEXT_H_
