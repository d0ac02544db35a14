// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_CONVERT_HF_TOKENIZER_H_
#define BITFETCH_CONVERT_HF_TOKENIZER_H_

#include <cstdint>
#include <string>

#include "base/error.h"
#include "base/json_value.h"
#include "convert/gguf_writer.h"

namespace bitfetch {

// Writes the tokenizer of a Hugging Face folder and its chat template, where it has one, as
// metadata. `config` is its config.json, which may name an EOS that the tokenizer does not; `vocab`
// the tokens that the model has: ids without a token become unused ones, control tokens beyond them
// are left out with a warning. `pre` as in ReadTokenizerJson(). Errors name the file and what is
// missing, not supported or wrong.
Status WriteHfTokenizer(const std::string& folder, const JsonValue& config, int64_t vocab,
                        const std::string& pre, GgufWriter& writer);

}  // namespace bitfetch

#endif  // BITFETCH_CONVERT_HF_TOKENIZER_H_
