// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_CLI_TEXT_ENCODING_H_
#define BITFETCH_CLI_TEXT_ENCODING_H_

#include <string>

#include "base/error.h"

namespace bitfetch {

// Drops UTF-8's byte-order mark from the beginning of `*text`, which came from `name`. Error: a
// text in UTF-16 or UTF-32, by its mark or by where its NULs are, with what converts it. Other
// bytes that are not UTF-8 are none.
Status TakeUtf8(const std::string& name, std::string* text);

}  // namespace bitfetch

#endif  // BITFETCH_CLI_TEXT_ENCODING_H_
