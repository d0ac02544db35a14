// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_SERVE_DIALECT_COMPLETIONS_H_
#define BITFETCH_SERVE_DIALECT_COMPLETIONS_H_

#include <string_view>

#include "serve/dialect/reply.h"
#include "serve/dialect/served_model.h"

namespace bitfetch {

// POST /v1/completions. docs/serving.md says what fields mean. `model` must outlive the reply.
ApiResult<CompletionRequest> ReadCompletion(const ServedModel& model, std::string_view body,
                                            const RequestOrigin& origin);

}  // namespace bitfetch

#endif  // BITFETCH_SERVE_DIALECT_COMPLETIONS_H_
