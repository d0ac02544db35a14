// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_ENGINE_READ_TOKENIZER_H_
#define BITFETCH_ENGINE_READ_TOKENIZER_H_

#include "base/error.h"
#include "model/gguf_reader.h"
#include "text/tokenizer.h"

namespace bitfetch {

// The tokenizer that a GGUF file describes (`tokenizer.ggml.*`); the file may hold nothing else. A
// file of the kind "gpt2" that names no pre-tokenizer is read as llama-bpe, with a warning: the
// published 2B4T file is such. One of the kind "llama" that does not say otherwise puts a space in
// front of a text, and its unknown token is the first that is typed so. The id of a special token
// (BOS, EOS, EOT, EOM, unknown) that no token has is not taken, with a warning. Errors name the
// file and the key: another kind, keys that are missing or don't fit together.
Result<Tokenizer> ReadTokenizer(const GgufReader& file);

// The same, for use with the model in the same file: its vocabulary must be of the same size.
Result<Tokenizer> ReadTokenizerFor(const GgufReader& file, int64_t model_vocab);

}  // namespace bitfetch

#endif  // BITFETCH_ENGINE_READ_TOKENIZER_H_
