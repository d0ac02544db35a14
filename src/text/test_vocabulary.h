// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_TEXT_TEST_VOCABULARY_H_
#define BITFETCH_TEXT_TEST_VOCABULARY_H_

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <vector>

#include "text/vocabulary.h"

namespace bitfetch {

// A byte in GPT-2's alphabet.
inline std::string AlphabetCharacter(int byte) {
  int character = byte;
  const auto printable = [](int b) { return (b > 32 && b < 127) || (b > 160 && b != 173); };
  if (!printable(byte)) {
    character = 256;
    for (int b = 0; b < byte; ++b) character += printable(b) ? 0 : 1;
  }
  if (character < 128) return std::string(1, static_cast<char>(character));
  return {static_cast<char>(0xc0 | character >> 6), static_cast<char>(0x80 | (character & 63))};
}

// Ids 0 to 255 are the bytes; then " t", "he", " the", "in", "ing" with their merges, in this
// order; then the control tokens of Llama-3's chat.
inline Vocabulary TestVocabulary() {
  Vocabulary vocabulary;
  for (int byte = 0; byte < 256; ++byte) vocabulary.tokens.push_back(AlphabetCharacter(byte));
  const std::string space = AlphabetCharacter(' ');
  for (const std::string& token :
       {space + "t", std::string("he"), space + "the", std::string("in"), std::string("ing")}) {
    vocabulary.tokens.push_back(token);
  }
  vocabulary.merges = {space + " t", "h e", space + "t he", "i n", "in g"};
  vocabulary.types.assign(vocabulary.tokens.size(), kNormalToken);
  for (const char* name : {"<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>",
                           "<|end_header_id|>", "<|eot_id|>"}) {
    vocabulary.tokens.emplace_back(name);
    vocabulary.types.push_back(kControlToken);
  }
  vocabulary.pre = "llama-bpe";
  vocabulary.bos = 261;
  vocabulary.eos = 262;
  return vocabulary;
}

// SentencePiece's: 0 to 2 are "<unk>", "<s>" and "</s>", 3 to 258 the bytes; then pieces, the
// earlier the higher their score: "▁t", "he", "▁the", "in", "ing", "▁", "t", "h", "e", "i", "n",
// "g".
inline constexpr int kFirstTestPiece = 259;
inline Vocabulary TestPieces() {
  Vocabulary vocabulary;
  vocabulary.kind = TokenizerKind::kSentencePieceBpe;
  vocabulary.tokens = {"<unk>", "<s>", "</s>"};
  vocabulary.types = {kUnknownToken, kControlToken, kControlToken};
  for (int byte = 0; byte < 256; ++byte) {
    vocabulary.tokens.push_back(fmt::format("<0x{:02X}>", byte));
    vocabulary.types.push_back(kByteToken);
  }
  vocabulary.scores.assign(vocabulary.tokens.size(), 0);
  for (const char* piece : {"▁t", "he", "▁the", "in", "ing", "▁", "t", "h", "e", "i", "n", "g"}) {
    vocabulary.tokens.emplace_back(piece);
    vocabulary.types.push_back(kNormalToken);
    vocabulary.scores.push_back(-static_cast<float>(vocabulary.scores.size()));
  }
  vocabulary.unknown = 0;
  vocabulary.bos = 1;
  vocabulary.eos = 2;
  return vocabulary;
}

inline int AddToken(std::string_view token, TokenType type, Vocabulary* vocabulary) {
  vocabulary->tokens.emplace_back(token);
  vocabulary->types.push_back(type);
  if (vocabulary->kind == TokenizerKind::kSentencePieceBpe) vocabulary->scores.push_back(0);
  return static_cast<int>(vocabulary->tokens.size()) - 1;
}

}  // namespace bitfetch

#endif  // BITFETCH_TEXT_TEST_VOCABULARY_H_
