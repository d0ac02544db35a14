// SPDX-License-Identifier: Apache-2.0
// The commands of the program that writes models: each adds itself. A file each.
#ifndef BITFETCH_CLI_CONVERT_COMMANDS_H_
#define BITFETCH_CLI_CONVERT_COMMANDS_H_

#include "cli/command.h"

namespace bitfetch {

void AddSynth(Command& program);
void AddConvert(Command& program);

}  // namespace bitfetch

#endif  // BITFETCH_CLI_CONVERT_COMMANDS_H_
