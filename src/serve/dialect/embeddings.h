// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_SERVE_DIALECT_EMBEDDINGS_H_
#define BITFETCH_SERVE_DIALECT_EMBEDDINGS_H_

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "serve/dialect/reply.h"
#include "serve/dialect/served_model.h"

namespace bitfetch {

struct EmbeddingRequest {
  std::vector<std::vector<int>> texts;  // BOS and EOS as the model wants them
  bool base64 = false;                  // of little-endian floats, which SDKs ask for unasked
};

// POST /v1/embeddings, as OpenAI has it. An error where the model writes text.
ApiResult<EmbeddingRequest> ReadEmbeddings(const ServedModel& model, std::string_view body);

// The answer: embeddings [texts][hidden].
std::string WriteEmbeddings(const ServedModel& model, const EmbeddingRequest& request,
                            std::span<const std::vector<float>> embeddings);

}  // namespace bitfetch

#endif  // BITFETCH_SERVE_DIALECT_EMBEDDINGS_H_
