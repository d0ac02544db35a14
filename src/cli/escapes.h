// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_CLI_ESCAPES_H_
#define BITFETCH_CLI_ESCAPES_H_

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/command.h"

namespace bitfetch {

// `text` with what a backslash begins replaced: \n \t \r \a \b \f \v \e \0, \\ \" \', and \xNN for
// a byte. Errors: another character behind a backslash; bytes that make no UTF-8 of a text that
// was.
Result<std::string> ReadEscapes(std::string_view text);

// -e: reads the escapes in `texts`, which is asked once all options are known. `where` names their
// options for the help.
void AddEscape(Command& command, const std::string& where,
               std::function<std::vector<std::string*>()> texts);

}  // namespace bitfetch

#endif  // BITFETCH_CLI_ESCAPES_H_
