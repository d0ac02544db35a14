// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_ENGINE_EMBEDDING_H_
#define BITFETCH_ENGINE_EMBEDDING_H_

#include <vector>

#include "base/error.h"
#include "engine/sequence.h"

namespace bitfetch {

// What a sequence means, as models of embeddings say it: what comes out of the last norm behind its
// last token, [hidden], scaled to unit length. The same bits alone and in a batch. Errors: no token
// was appended since the last Truncate or failure; the state is all zeros, or not finite.
Result<std::vector<float>> Embedding(const Sequence& sequence);

}  // namespace bitfetch

#endif  // BITFETCH_ENGINE_EMBEDDING_H_
