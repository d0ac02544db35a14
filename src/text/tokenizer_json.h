// SPDX-License-Identifier: Apache-2.0
// The tokenizer of a Hugging Face folder: tokenizer.json, of the library `tokenizers`, and
// tokenizer_config.json, of `transformers`.
#ifndef BITFETCH_TEXT_TOKENIZER_JSON_H_
#define BITFETCH_TEXT_TOKENIZER_JSON_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/json_value.h"
#include "text/tokenizer.h"

namespace bitfetch {

// The vocabulary of a byte-level BPE, as a GGUF file would have it, from tokenizer.json and
// tokenizer_config.json (may be null). Added tokens are control tokens where they are special and
// user-defined where not; ids below `size` that no token has are unused ones named [PAD7]. The
// pre-tokenizer is known by its pattern; `pre` names it where that isn't known. BOS and EOS, and
// whether texts get them, are what the template puts around a text, and then what the configuration
// says. Where neither says, as in the first files of Llama-3, texts with its pattern get BOS: its
// models were trained so.
//
// Errors, as what follows the name of tokenizer.json: another kind of tokenizer, a pattern or a
// normaliser that no pre-tokenizer here has, ids that are wrong, no merges, a BOS or EOS that is no
// token.
Result<Vocabulary> ReadTokenizerJson(const JsonValue& tokenizer, const JsonValue& config,
                                     int64_t size, std::string_view pre = {});

}  // namespace bitfetch

#endif  // BITFETCH_TEXT_TOKENIZER_JSON_H_
