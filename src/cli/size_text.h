// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_CLI_SIZE_TEXT_H_
#define BITFETCH_CLI_SIZE_TEXT_H_

#include <string_view>

#include "base/error.h"

namespace bitfetch {

// "4G", "512M", "1.5GiB": in bytes, of 1024 bytes to a K.
Result<double> ParseSize(std::string_view text);

}  // namespace bitfetch

#endif  // BITFETCH_CLI_SIZE_TEXT_H_
