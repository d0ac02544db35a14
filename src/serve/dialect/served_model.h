// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_SERVE_DIALECT_SERVED_MODEL_H_
#define BITFETCH_SERVE_DIALECT_SERVED_MODEL_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "serve/dialect/lazy_token_tries.h"
#include "text/chat.h"
#include "text/sampler.h"
#include "text/tokenizer.h"

namespace bitfetch {

// What a request can be checked and written with, without the engine. Any number of threads may use
// one at once.
struct ServedModel {
  std::string id;       // the file's name
  int64_t created = 0;  // of the file, in seconds since 1970
  Tokenizer tokenizer;
  std::optional<ChatTemplate> chat_template = {};  // none: no conversations
  int64_t context = 0;                             // tokens of a sequence
  int parallel = 1;                                // texts that are written at once
  bool embeds = false;                             // embeddings, and no text
  SamplerOptions sampling = kUsualSampling;        // what a request that says nothing gets
  std::shared_ptr<LazyTokenTries> tries = std::make_shared<LazyTokenTries>();  // of the tokenizer
};

}  // namespace bitfetch

#endif  // BITFETCH_SERVE_DIALECT_SERVED_MODEL_H_
