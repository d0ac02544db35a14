// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_CONVERT_WRITE_TOKENIZER_H_
#define BITFETCH_CONVERT_WRITE_TOKENIZER_H_

#include "convert/gguf_writer.h"
#include "text/tokenizer.h"

namespace bitfetch {

// The metadata that ReadTokenizer (read_tokenizer.h) reads back. Only BOS and EOS of the tokens
// with a meaning: others are known by their names.
void WriteTokenizer(const Vocabulary& vocabulary, GgufWriter& writer);

}  // namespace bitfetch

#endif  // BITFETCH_CONVERT_WRITE_TOKENIZER_H_
