// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_ENGINE_SYNTH_TOKENIZER_H_
#define BITFETCH_ENGINE_SYNTH_TOKENIZER_H_

#include <cstdint>
#include <string_view>

#include "model/gguf_writer.h"

namespace bitfetch {

// The metadata of the tokenizer that engine/synth.h describes. vocab: at least kMinSynthTokenizer.
void AddSynthTokenizer(std::string_view architecture, int64_t vocab, GgufWriter& writer);

}  // namespace bitfetch

#endif  // BITFETCH_ENGINE_SYNTH_TOKENIZER_H_
