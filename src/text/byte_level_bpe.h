// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_TEXT_BYTE_LEVEL_BPE_H_
#define BITFETCH_TEXT_BYTE_LEVEL_BPE_H_

#include <array>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "text/byte_pairs.h"
#include "text/pretokenizer.h"
#include "text/string_map.h"
#include "text/subword_model.h"
#include "text/vocabulary.h"

namespace bitfetch {

// Byte-level BPE (GPT-2, Llama-3, Qwen): a pattern cuts a text into words, and the bytes of each
// are merged in the order of learning. Every text has ids.
class ByteLevelBpe : public SubwordModel {
 public:
  // uses: [tokens]. Errors name the token or merge that is wrong.
  static Result<std::unique_ptr<const SubwordModel>> Create(const Vocabulary& vocabulary,
                                                            std::span<const TokenUse> uses);

  std::string Spelt(std::string text) const override { return text; }
  std::string Bytes(const std::string& token, TokenUse::Kind kind) const override;
  Status Encode(std::string_view text, std::vector<int>* ids) const override;

 private:
  explicit ByteLevelBpe(Pretokenizer pretokenizer) : pretokenizer_(std::move(pretokenizer)) {}

  Status AddWords(const Vocabulary& vocabulary, std::span<const TokenUse> uses);
  Status AddMerges(const Vocabulary& vocabulary, std::span<const TokenUse> uses);
  void EncodeWord(std::string_view word, std::vector<int>* ids) const;

  Pretokenizer pretokenizer_;
  BytePairMerges merges_;
  StringMap<int> words_;  // by bytes
  std::array<int, 256> byte_ids_{};
};

}  // namespace bitfetch

#endif  // BITFETCH_TEXT_BYTE_LEVEL_BPE_H_
