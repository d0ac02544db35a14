// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_SERVE_DIALECT_RESPONSES_H_
#define BITFETCH_SERVE_DIALECT_RESPONSES_H_

#include <string_view>

#include "serve/dialect/reply.h"
#include "serve/dialect/served_model.h"

namespace bitfetch {

// POST /v1/responses, as OpenAI has it, without anything that is kept between requests.
// docs/serving.md says what fields mean. `model` must outlive the reply.
ApiResult<CompletionRequest> ReadResponse(const ServedModel& model, std::string_view body,
                                          const RequestOrigin& origin);

}  // namespace bitfetch

#endif  // BITFETCH_SERVE_DIALECT_RESPONSES_H_
