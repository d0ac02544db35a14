// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_TEXT_TOKENIZER_H_
#define BITFETCH_TEXT_TOKENIZER_H_

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "text/markers.h"
#include "text/string_map.h"
#include "text/subword_model.h"
#include "text/vocabulary.h"

namespace bitfetch {

// Text to token ids and back. Any number of threads may use one at once.
//
// Text is not read as control tokens: "<|eot_id|>" gives the ids of its characters, unless the
// caller asks otherwise. User-defined tokens are text: each occurrence in a text is that token, the
// leftmost first and of those the longest, before the rest is cut into words.
class Tokenizer {
 public:
  // Checks the vocabulary; errors name the token or merge that is wrong. Takes 0.2 s for Llama-3's
  // 128256 tokens.
  static Result<Tokenizer> Create(const Vocabulary& vocabulary);

  // The ids of `text`, with BOS in front if asked for and if there is one. Broken UTF-8 is read as
  // U+FFFD, the number of which is added to `*replaced` where given, so that the caller can warn.
  // O(n log n) whatever the text; 2 MB/s or more. An error only for a text past 2 GiB or if memory
  // runs out.
  //
  // `special`: the names of control tokens in the text are read as these, the leftmost first and of
  // those the longest; a text that begins with BOS gets no second one.
  Result<std::vector<int>> Encode(std::string_view text, bool add_bos, size_t* replaced = nullptr,
                                  bool special = false) const;

  // EOS behind the ids of a whole text, where the file asks for it, there is one, and they do not
  // end in it. A prompt that is to be continued is no whole text.
  void EndText(std::vector<int>* ids) const;

  // What a token stands for: maybe a part of a character. Nothing for control and unused tokens,
  // but <think> and </think> for those of these names, by which thoughts are told from answers. 0
  // <= id < size().
  std::string_view TokenBytes(int id) const { return bytes_[id]; }

  // The bytes of all `ids`, of which broken UTF-8 remains as it is, without the space that the
  // vocabulary puts in front of a text. An error names an id that is out of range.
  Result<std::string> Decode(std::span<const int> ids) const;

  // The id of the control token of this name, e.g. "<|eot_id|>".
  std::optional<int> ControlToken(std::string_view name) const;

  // The name of the control token that `text` begins with, the longest; empty: it begins with none,
  // or with a longer user-defined token.
  std::string_view ControlTokenAt(std::string_view text) const;

  // The name of a control token; empty: it is none. Costs a look at all of them.
  std::string_view ControlName(int id) const;

  // Where an answer ends: see StopTokens(Vocabulary).
  const std::vector<int>& StopTokens() const { return stop_tokens_; }

  // No text of more bytes is of so few tokens.
  size_t MaxTextBytes(int64_t tokens) const;

  int size() const { return static_cast<int>(bytes_.size()); }
  int bos() const { return bos_; }  // -1: none
  int eos() const { return eos_; }  // -1: none
  bool add_bos() const { return add_bos_; }
  // What kind it is, for people: "byte-level BPE (qwen2)", "SentencePiece BPE".
  const std::string& name() const { return name_; }

 private:
  Tokenizer() = default;

  Status AddTokens(const Vocabulary& vocabulary, std::span<const TokenUse> uses);

  std::unique_ptr<const SubwordModel> model_;
  std::vector<std::string> bytes_;  // [size()]
  StringMap<int> control_;          // by name
  Markers user_defined_;
  Markers user_defined_and_control_;
  std::vector<int> stop_tokens_;
  std::string name_;
  size_t max_token_bytes_ = 0;
  int bos_ = -1;
  int eos_ = -1;
  bool add_bos_ = false;
  bool add_eos_ = false;
  bool add_space_prefix_ = false;
};

}  // namespace bitfetch

#endif  // BITFETCH_TEXT_TOKENIZER_H_
