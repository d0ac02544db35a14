// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_CLI_SERVE_SERVE_H_
#define BITFETCH_CLI_SERVE_SERVE_H_

#include "cli/command.h"

namespace bitfetch {

void AddServe(Command& program);

}  // namespace bitfetch

#endif  // BITFETCH_CLI_SERVE_SERVE_H_
