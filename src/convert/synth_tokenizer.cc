// SPDX-License-Identifier: Apache-2.0
#include "convert/synth_tokenizer.h"

#include <algorithm>
#include <array>
#include <span>
#include <string>

#include "convert/write_tokenizer.h"
#include "text/byte_alphabet.h"
#include "text/piece_alphabet.h"
#include "text/tokenizer.h"

namespace bitfetch {
namespace {

constexpr std::array<std::string_view, 5> kLlama3Names = {"<|begin_of_text|>", "<|end_of_text|>",
                                                          "<|eot_id|>", "<|start_header_id|>",
                                                          "<|end_header_id|>"};
constexpr std::array<std::string_view, 5> kQwenNames = {"<|im_start|>", "<|im_end|>",
                                                        "<|endoftext|>", "<think>", "</think>"};

// As in Qwen3's own, thinking can be turned off, and earlier answers go without it. Turned on, the
// answer begins in it.
constexpr std::string_view kThinkingTemplate =
    R"({% for message in messages %}<|im_start|>{{ message.role }}
{{ message.content.split('</think>')[-1] | trim if message.role == 'assistant' else message.content }}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% if enable_thinking is defined %}<think>
{% if not enable_thinking %}

</think>

{% endif %}{% endif %}{% endif %})";

// The 256 bytes, fillers, and control tokens with these names and as reserved ones: as many as
// Llama-3 has, and fewer in a small vocabulary.
Vocabulary Words(int64_t vocab, std::span<const std::string_view> names) {
  const int64_t first_control = vocab - std::min<int64_t>(vocab - 256, vocab < 1024 ? 16 : 256);
  Vocabulary vocabulary;
  vocabulary.types.assign(static_cast<size_t>(vocab), kNormalToken);
  for (int byte = 0; byte < 256; ++byte) {
    const auto character = static_cast<char>(byte);
    vocabulary.tokens.push_back(ToByteAlphabet({&character, 1}));
  }
  for (int64_t id = 256; id < first_control; ++id) {
    vocabulary.tokens.push_back(ToByteAlphabet(fmt::format(" w{}", id)));
  }
  for (int64_t id = first_control; id < vocab; ++id) {
    const auto i = static_cast<size_t>(id - first_control);
    vocabulary.tokens.push_back(
        i < names.size() ? std::string(names[i])
                         : fmt::format("<|reserved_special_token_{}|>", i - names.size()));
    vocabulary.types[id] = kControlToken;
  }
  vocabulary.eos = static_cast<int>(first_control + 1);
  return vocabulary;
}

Vocabulary Llama3Words(int64_t vocab) {
  Vocabulary vocabulary = Words(vocab, kLlama3Names);
  vocabulary.pre = "llama-bpe";
  vocabulary.bos = vocabulary.eos - 1;
  vocabulary.add_bos = true;
  return vocabulary;
}

Vocabulary QwenWords(int64_t vocab) {
  Vocabulary vocabulary = Words(vocab, kQwenNames);
  vocabulary.pre = "qwen2";
  for (const std::string_view name : {"<think>", "</think>"}) {
    const auto token = std::ranges::find(vocabulary.tokens, name);
    if (token == vocabulary.tokens.end()) continue;
    vocabulary.types[token - vocabulary.tokens.begin()] = kUserDefinedToken;
  }
  return vocabulary;
}

Vocabulary Pieces(int64_t vocab) {
  Vocabulary vocabulary;
  vocabulary.kind = TokenizerKind::kSentencePieceBpe;
  vocabulary.tokens = {"<unk>", "<s>", "</s>"};
  vocabulary.types = {kUnknownToken, kControlToken, kControlToken};
  for (int byte = 0; byte < 256; ++byte) {
    vocabulary.tokens.push_back(fmt::format("<0x{:02X}>", byte));
    vocabulary.types.push_back(kByteToken);
  }
  vocabulary.tokens.emplace_back(kPieceSpace);
  for (auto id = static_cast<int64_t>(vocabulary.tokens.size()); id < vocab; ++id) {
    vocabulary.tokens.push_back(fmt::format("{}w{}", kPieceSpace, id));
  }
  vocabulary.types.resize(static_cast<size_t>(vocab), kNormalToken);
  for (int64_t id = 0; id < vocab; ++id) vocabulary.scores.push_back(static_cast<float>(-id));
  vocabulary.unknown = 0;
  vocabulary.bos = 1;
  vocabulary.eos = 2;
  vocabulary.add_bos = true;
  return vocabulary;
}

}  // namespace

void AddSynthTokenizer(std::string_view architecture, int64_t vocab, GgufWriter& writer) {
  if (architecture == "qwen3") {
    WriteTokenizer(QwenWords(vocab), writer);
    writer.Add<std::string_view>("tokenizer.chat_template", kThinkingTemplate);
  } else if (architecture == "bitnet" || architecture == "gemma3") {
    Vocabulary vocabulary = Pieces(vocab);
    vocabulary.add_space_prefix = architecture == "bitnet";
    WriteTokenizer(vocabulary, writer);
  } else {
    WriteTokenizer(Llama3Words(vocab), writer);
  }
}

}  // namespace bitfetch
