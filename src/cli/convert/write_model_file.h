// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_CLI_CONVERT_WRITE_MODEL_FILE_H_
#define BITFETCH_CLI_CONVERT_WRITE_MODEL_FILE_H_

#include <functional>
#include <string>

#include "base/error.h"
#include "base/progress.h"

namespace bitfetch {

// The last thing a command does: `write`s a model to `path`, which may be a pipe, and says on
// stderr how far that is and in the end what was written. The exit code.
Result<int> WriteModelFile(const std::string& path,
                           const std::function<Status(const Progress&)>& write);

}  // namespace bitfetch

#endif  // BITFETCH_CLI_CONVERT_WRITE_MODEL_FILE_H_
