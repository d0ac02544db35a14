// SPDX-License-Identifier: Apache-2.0
#include "convert/synth_tokenizer.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include "convert/write_tokenizer.h"
#include "text/byte_alphabet.h"
#include "text/tokenizer.h"

namespace bitfetch {
namespace {

// Control tokens with these names, then <|reserved_special_token_0|> and so on: as many as Llama-3
// has, and fewer in a small vocabulary.
constexpr std::array<std::string_view, 5> kControlNames = {"<|begin_of_text|>", "<|end_of_text|>",
                                                           "<|eot_id|>", "<|start_header_id|>",
                                                           "<|end_header_id|>"};

int64_t ControlTokens(int64_t vocab) {
  return std::min<int64_t>(vocab - 256, vocab < 1024 ? 16 : 256);
}

}  // namespace

void AddSynthTokenizer(int64_t vocab, GgufWriter& writer) {
  const int64_t first_control = vocab - ControlTokens(vocab);
  Vocabulary vocabulary;
  vocabulary.pre = "llama-bpe";
  vocabulary.bos = static_cast<int>(first_control);
  vocabulary.eos = static_cast<int>(first_control + 1);
  vocabulary.add_bos = true;
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
        i < kControlNames.size()
            ? std::string(kControlNames[i])
            : fmt::format("<|reserved_special_token_{}|>", i - kControlNames.size()));
    vocabulary.types[id] = kControlToken;
  }
  WriteTokenizer(vocabulary, writer);
}

}  // namespace bitfetch
