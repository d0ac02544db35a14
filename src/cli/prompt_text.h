// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_CLI_PROMPT_TEXT_H_
#define BITFETCH_CLI_PROMPT_TEXT_H_

#include <span>
#include <string>

#include "text/tokenizer.h"

namespace bitfetch {

// Tokens as a text for people: control tokens by their names, and a backslash before what is only
// text but looks like one.
std::string PromptText(const Tokenizer& tokenizer, std::span<const int> ids);

}  // namespace bitfetch

#endif  // BITFETCH_CLI_PROMPT_TEXT_H_
