// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_SERVE_DIALECT_EMBEDDINGS_H_
#define BITFETCH_SERVE_DIALECT_EMBEDDINGS_H_

#include <string_view>

#include "serve/dialect/reply.h"
#include "serve/dialect/served_model.h"

namespace bitfetch {

// POST /v1/embeddings, as OpenAI has it: a task for each text, with BOS and EOS as the model wants
// them. An error where the model writes text.
ApiResult<CompletionRequest> ReadEmbeddings(const ServedModel& model, std::string_view body,
                                            const RequestOrigin& origin);

}  // namespace bitfetch

#endif  // BITFETCH_SERVE_DIALECT_EMBEDDINGS_H_
