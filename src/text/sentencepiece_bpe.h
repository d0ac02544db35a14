// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_TEXT_SENTENCEPIECE_BPE_H_
#define BITFETCH_TEXT_SENTENCEPIECE_BPE_H_

#include <array>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "base/error.h"
#include "text/piece_merges.h"
#include "text/subword_model.h"
#include "text/vocabulary.h"

namespace bitfetch {

// SentencePiece's BPE (Kudo and Richardson, 2018; Llama-2, Gemma): the characters of a text, whose
// spaces are spelt "▁", merge to pieces, that of the highest score first. A character that is no
// piece becomes the tokens of its bytes; where one of these is missing, the unknown token, which
// then stands for a run of such characters.
class SentencePieceBpe : public SubwordModel {
 public:
  // uses: [tokens]. Errors: scores that are missing or not numbers; a byte that has no token, where
  // there is no unknown token.
  static Result<std::unique_ptr<const SubwordModel>> Create(const Vocabulary& vocabulary,
                                                            std::span<const TokenUse> uses);

  std::string Spelt(std::string text) const override;
  std::string Bytes(const std::string& token, TokenUse::Kind kind) const override;
  Status Encode(std::string_view text, std::vector<int>* ids) const override;

 private:
  explicit SentencePieceBpe(const Vocabulary& vocabulary)
      : unknown_(vocabulary.unknown), add_space_prefix_(vocabulary.add_space_prefix) {}

  Status AddWords(const Vocabulary& vocabulary, std::span<const TokenUse> uses);
  // The end of what merges by itself from `begin` on.
  size_t EndOfWord(std::string_view text, size_t begin) const;
  void AppendCharacter(std::string_view character, std::vector<int>* tokens) const;

  PieceMerges merges_;
  std::unordered_set<std::string> before_space_;  // characters that a piece has in front of a space
  std::array<int, 256> byte_ids_{};               // -1: none
  int unknown_;                                   // -1: none
  bool add_space_prefix_;
};

}  // namespace bitfetch

#endif  // BITFETCH_TEXT_SENTENCEPIECE_BPE_H_
