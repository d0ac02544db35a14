// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_MODEL_ROW_BATCH_H_
#define BITFETCH_MODEL_ROW_BATCH_H_

#include <cstdint>
#include <span>

#include "base/error.h"
#include "kv/kv_cache.h"
#include "model/model.h"

namespace bitfetch {

// What one forward pass takes of one sequence: a row for each token.
struct RowPiece {
  KvCache* cache = nullptr;
  std::span<const int> tokens;  // at least one; they follow what the cache holds
  // Out: the states of the last `state_rows` tokens, [state_rows][hidden]: what comes out of the
  // last norm, which the output head makes logits of.
  int64_t state_rows = 0;
  float* states = nullptr;
  // Out: why nothing was appended to this cache. The other pieces don't notice.
  Status status = {};
};

// An error if a piece has no token, or one that the model's vocabulary lacks.
Status CheckTokens(const Model& model, std::span<const int> tokens);

// The pieces of one pass: of different sequences, at most ForwardPass::kMaxRows tokens together.
using RowBatch = std::span<RowPiece>;

}  // namespace bitfetch

#endif  // BITFETCH_MODEL_ROW_BATCH_H_
