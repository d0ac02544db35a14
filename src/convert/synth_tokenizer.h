// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_CONVERT_SYNTH_TOKENIZER_H_
#define BITFETCH_CONVERT_SYNTH_TOKENIZER_H_

#include <cstdint>
#include <string_view>

#include "convert/gguf_writer.h"

namespace bitfetch {

// The metadata of the tokenizer that synth.h describes. vocab: at least kMinSynthTokenizer.
void AddSynthTokenizer(std::string_view architecture, int64_t vocab, GgufWriter& writer);

}  // namespace bitfetch

#endif  // BITFETCH_CONVERT_SYNTH_TOKENIZER_H_
