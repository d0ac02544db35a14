// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_TEXT_TOKENIZER_H_
#define BITFETCH_TEXT_TOKENIZER_H_

#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/error.h"
#include "text/byte_pairs.h"
#include "text/pretokenizer.h"

namespace bitfetch {

// Values of `tokenizer.ggml.token_type`. Hints: see Tokenizer.
enum TokenType {
  kUndefinedToken = 0,  // read as normal
  kNormalToken = 1,
  kUnknownToken = 2,
  kControlToken = 3,
  kUserDefinedToken = 4,
  kUnusedToken = 5,
  kByteToken = 6,
};

// What a GGUF file says about its tokens (`tokenizer.ggml.*`), for the model "gpt2": byte-level
// BPE.
struct Vocabulary {
  // Normal and byte tokens are in GPT-2's byte alphabet (a space is "Ġ"), all others plain text.
  // The id is the place.
  std::vector<std::string> tokens;
  std::vector<int> types;           // [tokens] TokenType; empty: all normal
  std::vector<std::string> merges;  // "left right", in the order of learning
  std::string pre;                  // the pre-tokenizer: see Pretokenizer::Create()
  int bos = -1;                     // -1: none
  int eos = -1;
  int eot = -1;  // the end of a turn
  int eom = -1;  // the end of a message
  bool add_bos = false;
  bool add_eos = false;
};

// Byte-level BPE: text to token ids and back. Any number of threads may use one at once.
//
// Control tokens are those that the file types so or unknown, and whatever their type those whose
// names are markers ("<|eot_id|>", ">>TITLE<<", "<end_of_turn>") and those that are BOS, EOS and
// the like, unless they are words that a text is made of. Text is not read as them: "<|eot_id|>"
// gives the ids of its characters, unless the caller asks otherwise.
//
// User-defined tokens are text: each occurrence in a text is that token, the leftmost first and of
// those the longest, before the rest is cut into words. Of tokens with the same text the first is
// read, the others are only written; empty ones stand for nothing.
class Tokenizer {
 public:
  // Checks the vocabulary; errors name the token or merge that is wrong. Takes 0.2 s for Llama-3's
  // 128256 tokens.
  static Result<Tokenizer> Create(const Vocabulary& vocabulary);

  // The ids of `text`, with BOS in front if asked for and if there is one. Broken UTF-8 is read as
  // U+FFFD, the number of which is added to `*replaced` where given, so that the caller can warn.
  // O(n log n) whatever the text; 5 MB/s or more. An error only for a text past 2 GiB or if memory
  // runs out.
  //
  // `special`: the names of control tokens in the text are read as these, the leftmost first and of
  // those the longest; a text that begins with BOS gets no second one.
  Result<std::vector<int>> Encode(std::string_view text, bool add_bos, size_t* replaced = nullptr,
                                  bool special = false) const;

  // EOS behind the ids of a whole text, where the file asks for it, there is one, and they do not
  // end in it. A prompt that is to be continued is no whole text.
  void EndText(std::vector<int>* ids) const;

  // What a token stands for: maybe a part of a character. Nothing for control and unused tokens. 0
  // <= id < size().
  std::string_view TokenBytes(int id) const { return bytes_[id]; }

  // The bytes of all `ids`, of which broken UTF-8 remains as it is. An error names an id that is
  // out of range.
  Result<std::string> Decode(std::span<const int> ids) const;

  // The id of the control token of this name, e.g. "<|eot_id|>".
  std::optional<int> ControlToken(std::string_view name) const;

  // The name of the control token that `text` begins with, the longest; empty: it begins with none.
  std::string_view ControlTokenAt(std::string_view text) const;

  // The name of a control token; empty: it is none. Costs a look at all of them.
  std::string_view ControlName(int id) const;

  // Where an answer ends: EOS, EOT and EOM, and the tokens <|eot_id|>, <|eom_id|>, <|end_of_text|>,
  // <|im_end|>, <|endoftext|>, <|end|> and <end_of_turn>, as far as there are any. In rising order.
  const std::vector<int>& StopTokens() const { return stop_tokens_; }

  int size() const { return static_cast<int>(bytes_.size()); }
  int bos() const { return bos_; }  // -1: none
  int eos() const { return eos_; }  // -1: none
  bool add_bos() const { return add_bos_; }
  const std::string& pre() const { return pre_; }  // the name of the pre-tokenizer

 private:
  explicit Tokenizer(Pretokenizer pretokenizer) : pretokenizer_(std::move(pretokenizer)) {}

  Status AddTokens(const Vocabulary& vocabulary);
  Status AddMerges(const std::vector<std::string>& merges);
  // Whether it is of a control token, or makes one: no text is read so.
  bool MeetsControlToken(std::string_view merge) const;

  Status EncodePlain(std::string_view text, std::vector<int>* ids) const;
  void EncodeWord(std::string_view word, std::vector<int>* ids) const;

  struct StringHash {
    using is_transparent = void;
    size_t operator()(std::string_view s) const { return std::hash<std::string_view>()(s); }
  };
  using Ids = std::unordered_map<std::string, int, StringHash, std::equal_to<>>;

  // Tokens that are found in a text before it is cut into words.
  struct Marker {
    std::string text;
    int id;
  };
  using Markers = std::array<std::vector<Marker>, 256>;  // by first byte, the longest first

  Pretokenizer pretokenizer_;
  BytePairMerges merges_;
  std::vector<std::string> bytes_;  // [size()]
  Ids normal_;                      // by bytes
  Ids control_;                     // by name
  std::array<int, 256> byte_ids_{};
  Markers user_defined_;
  Markers user_defined_and_control_;
  std::vector<int> stop_tokens_;
  std::string pre_;
  int bos_ = -1;
  int eos_ = -1;
  bool add_bos_ = false;
  bool add_eos_ = false;
};

}  // namespace bitfetch

#endif  // BITFETCH_TEXT_TOKENIZER_H_
