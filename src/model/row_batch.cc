// SPDX-License-Identifier: Apache-2.0
#include "model/row_batch.h"

namespace bitfetch {

Status CheckTokens(const Model& model, std::span<const int> tokens) {
  if (tokens.empty()) return Fail("a piece of the batch has no tokens");
  const int64_t vocab = model.config().vocab;
  for (const int token : tokens) {
    if (token < 0 || token >= vocab) {
      return Fail("{}: token {} is out of range: the vocabulary has {}", model.file().path(), token,
                  vocab);
    }
  }
  return {};
}

}  // namespace bitfetch
