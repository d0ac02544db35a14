// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_SERVE_DIALECT_CONSTRAINTS_H_
#define BITFETCH_SERVE_DIALECT_CONSTRAINTS_H_

#include "serve/dialect/field.h"

namespace bitfetch {

// What an answer must be, as a request says it: OpenAI's response_format (or the format of
// /v1/responses), and a tool_choice other than none and auto. No constraint can be kept yet: all
// are errors.
void ReadResponseFormat(const Field& format);
void RefuseForcedTool(const Field& tool_choice);

}  // namespace bitfetch

#endif  // BITFETCH_SERVE_DIALECT_CONSTRAINTS_H_
