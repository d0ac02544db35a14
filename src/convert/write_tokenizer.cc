// SPDX-License-Identifier: Apache-2.0
#include "convert/write_tokenizer.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace bitfetch {

void WriteTokenizer(const Vocabulary& vocabulary, GgufWriter& writer) {
  const bool has_scores = vocabulary.kind == TokenizerKind::kSentencePieceBpe;
  writer.Add<std::string_view>("tokenizer.ggml.model", has_scores ? "llama" : "gpt2");
  writer.AddArray<std::string>("tokenizer.ggml.tokens", vocabulary.tokens);
  writer.AddArray<int32_t>("tokenizer.ggml.token_type", vocabulary.types);
  if (has_scores) {
    writer.AddArray<float>("tokenizer.ggml.scores", vocabulary.scores);
    writer.Add<bool>("tokenizer.ggml.add_space_prefix", vocabulary.add_space_prefix);
  } else {
    writer.Add<std::string>("tokenizer.ggml.pre", vocabulary.pre);
    writer.AddArray<std::string>("tokenizer.ggml.merges", vocabulary.merges);
  }
  for (const auto& [key, id] : {std::pair("tokenizer.ggml.bos_token_id", vocabulary.bos),
                                std::pair("tokenizer.ggml.eos_token_id", vocabulary.eos),
                                std::pair("tokenizer.ggml.unknown_token_id", vocabulary.unknown)}) {
    if (id >= 0) writer.Add<uint32_t>(key, static_cast<uint32_t>(id));
  }
  writer.Add<bool>("tokenizer.ggml.add_bos_token", vocabulary.add_bos);
  if (vocabulary.add_eos) writer.Add<bool>("tokenizer.ggml.add_eos_token", true);
}

}  // namespace bitfetch
