// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_CONVERT_TOKENIZER_JSON_H_
#define BITFETCH_CONVERT_TOKENIZER_JSON_H_

#include <string_view>

#include "base/error.h"
#include "base/json_value.h"
#include "text/vocabulary.h"

namespace bitfetch {

// The vocabulary of Hugging Face's tokenizer.json (https://github.com/huggingface/tokenizers), as
// converters write it to GGUF: BPE, byte-level with a pattern that Pretokenizer knows, or that of
// SentencePiece with byte fallback, whose scores follow from the order of the merges. (It is an
// error if the merges are others than scores give, which would be silently lost.) Added tokens are
// control tokens where they are special, otherwise user-defined; an id that no token has is unused.
//
// `config` is tokenizer_config.json, or null: which tokens are BOS and EOS, and whether texts have
// them, as far as the post-processor does not say so. Where neither says, as in the first files of
// Llama-3, texts with its pattern get BOS: its models were trained so.
//
// Errors name the part that is missing, of another kind, or not supported. What the parts hold,
// such as a merge of what is no token, is for Tokenizer::Create() to check.
// `pre` names the pre-tokenizer of a byte-level BPE whose pattern is not known; `bos` is BOS where
// neither file names it (-1: there is none).
Result<Vocabulary> ReadTokenizerJson(const JsonValue& tokenizer, const JsonValue& config,
                                     std::string_view pre = {}, int bos = -1);

}  // namespace bitfetch

#endif  // BITFETCH_CONVERT_TOKENIZER_JSON_H_
