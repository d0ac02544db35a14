// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_SERVE_DIALECT_MESSAGES_H_
#define BITFETCH_SERVE_DIALECT_MESSAGES_H_

#include <string>
#include <string_view>

#include "serve/dialect/reply.h"
#include "serve/dialect/served_model.h"

namespace bitfetch {

// POST /v1/messages, as Anthropic has it. docs/serving.md says what fields mean. `model` must
// outlive the reply.
ApiResult<CompletionRequest> ReadMessages(const ServedModel& model, std::string_view body,
                                          const RequestOrigin& origin);

// POST /v1/messages/count_tokens: the answer.
ApiResult<std::string> CountMessageTokens(const ServedModel& model, std::string_view body);

}  // namespace bitfetch

#endif  // BITFETCH_SERVE_DIALECT_MESSAGES_H_
