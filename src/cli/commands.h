// SPDX-License-Identifier: Apache-2.0
// The commands of the program: each adds itself. A file each.
#ifndef BITFETCH_CLI_COMMANDS_H_
#define BITFETCH_CLI_COMMANDS_H_

#include "cli/command.h"

namespace bitfetch {

void AddGenerate(Command& program);
void AddChat(Command& program);
void AddInfo(Command& program);
void AddTune(Command& program);
void AddTokenize(Command& program);
void AddDetokenize(Command& program);
void AddLogits(Command& program);
void AddEmbed(Command& program);
void AddPerplexity(Command& program);
void AddCache(Command& program);

}  // namespace bitfetch

#endif  // BITFETCH_CLI_COMMANDS_H_
