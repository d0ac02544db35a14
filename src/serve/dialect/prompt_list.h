// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_SERVE_DIALECT_PROMPT_LIST_H_
#define BITFETCH_SERVE_DIALECT_PROMPT_LIST_H_

#include <optional>
#include <string>
#include <vector>

#include "serve/dialect/field.h"
#include "serve/dialect/reply.h"
#include "serve/dialect/served_model.h"

namespace bitfetch {

// A text, or token ids in its place.
struct ListedPrompt {
  std::optional<std::string> text;
  std::vector<int> ids;
  std::string param;  // the field's name
};

// What completions and embeddings take: a text, a list of texts, token ids, or a list of those. At
// least one.
std::vector<ListedPrompt> ReadPromptList(const Field& prompt, const Tokenizer& tokenizer);

// The ids as they are, or the text's, as EncodePrompt() has them.
ApiResult<std::vector<int>> PromptIds(const ServedModel& model, const ListedPrompt& prompt);

}  // namespace bitfetch

#endif  // BITFETCH_SERVE_DIALECT_PROMPT_LIST_H_
