// SPDX-License-Identifier: Apache-2.0
#include "engine/write_tokenizer.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace bitfetch {

void WriteTokenizer(const Vocabulary& vocabulary, GgufWriter& writer) {
  writer.Add<std::string_view>("tokenizer.ggml.model", "gpt2");
  writer.Add<std::string>("tokenizer.ggml.pre", vocabulary.pre);
  writer.AddArray<std::string>("tokenizer.ggml.tokens", vocabulary.tokens);
  writer.AddArray<int32_t>("tokenizer.ggml.token_type", vocabulary.types);
  writer.AddArray<std::string>("tokenizer.ggml.merges", vocabulary.merges);
  for (const auto& [key, id] : {std::pair("tokenizer.ggml.bos_token_id", vocabulary.bos),
                                std::pair("tokenizer.ggml.eos_token_id", vocabulary.eos)}) {
    if (id >= 0) writer.Add<uint32_t>(key, static_cast<uint32_t>(id));
  }
  writer.Add<bool>("tokenizer.ggml.add_bos_token", vocabulary.add_bos);
  if (vocabulary.add_eos) writer.Add<bool>("tokenizer.ggml.add_eos_token", true);
}

}  // namespace bitfetch
