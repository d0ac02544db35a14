// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_CLI_BYTE_ORDER_MARK_H_
#define BITFETCH_CLI_BYTE_ORDER_MARK_H_

#include <string>

#include "base/error.h"

namespace bitfetch {

// Drops UTF-8's mark from the beginning of `*text`, which came from `name`. Error: another
// encoding's mark, with its name and what converts it.
Status DropByteOrderMark(const std::string& name, std::string* text);

}  // namespace bitfetch

#endif  // BITFETCH_CLI_BYTE_ORDER_MARK_H_
