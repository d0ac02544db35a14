// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_SERVE_DIALECT_PROMPT_H_
#define BITFETCH_SERVE_DIALECT_PROMPT_H_

#include <string>
#include <string_view>
#include <vector>

#include "serve/dialect/reply.h"
#include "serve/dialect/served_model.h"

namespace bitfetch {

// An error of code context_length_exceeded where so many bytes are more than the context's tokens
// can be: looked at first, since it takes seconds to encode gigantic texts.
ApiResult<void> CheckBytes(const ServedModel& model, size_t bytes, std::string_view param);

// An error unless there is a token, and room for another behind them.
ApiResult<void> CheckPrompt(const ServedModel& model, const std::vector<int>& ids,
                            std::string_view param);

// A text as `bitfetch generate` reads it: BOS where the model wants one, no control tokens.
ApiResult<std::vector<int>> EncodePrompt(const ServedModel& model, std::string_view text,
                                         std::string_view param);

}  // namespace bitfetch

#endif  // BITFETCH_SERVE_DIALECT_PROMPT_H_
