// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_SERVE_DIALECT_ERROR_BODY_H_
#define BITFETCH_SERVE_DIALECT_ERROR_BODY_H_

#include "serve/dialect/json_object.h"
#include "serve/dialect/reply.h"

namespace bitfetch {

// {"error": {"message", "type", "param", "code"}}
Json OpenAiError(const ApiError& error);

// {"type": "error", "error": {"type", "message"}}, the type as the status is.
Json AnthropicError(const ApiError& error);

}  // namespace bitfetch

#endif  // BITFETCH_SERVE_DIALECT_ERROR_BODY_H_
