// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_TEXT_VOCABULARY_H_
#define BITFETCH_TEXT_VOCABULARY_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace bitfetch {

// Values of `tokenizer.ggml.token_type`. Hints: see TokenUse.
enum TokenType {
  kUndefinedToken = 0,  // read as normal
  kNormalToken = 1,
  kUnknownToken = 2,
  kControlToken = 3,
  kUserDefinedToken = 4,
  kUnusedToken = 5,
  kByteToken = 6,
};

// Values of `tokenizer.ggml.model`.
enum class TokenizerKind {
  kByteLevelBpe,      // "gpt2": see ByteLevelBpe
  kSentencePieceBpe,  // "llama": see SentencePieceBpe
};

// What a file says about its tokens (GGUF's `tokenizer.ggml.*`).
struct Vocabulary {
  TokenizerKind kind = TokenizerKind::kByteLevelBpe;
  // The id is the place. Normal and byte tokens are spelt in GPT-2's byte alphabet (a space is "Ġ")
  // or as SentencePiece spells its pieces ("▁"), all others as plain text.
  std::vector<std::string> tokens;
  std::vector<int> types;  // [tokens] TokenType; empty: all normal

  // Of byte-level BPE only:
  std::vector<std::string> merges;  // "left right", in the order of learning
  std::string pre;                  // the pre-tokenizer: see Pretokenizer::Create()

  // Of SentencePiece only:
  std::vector<float> scores;     // [tokens] the highest merges first
  int unknown = -1;              // the token for what no other stands for
  bool add_space_prefix = true;  // a text, and what follows a marker, begins with a space

  int bos = -1;  // -1: none
  int eos = -1;
  int eot = -1;  // the end of a turn
  int eom = -1;  // the end of a message
  bool add_bos = false;
  bool add_eos = false;
};

// Where the first part of a merge ends; npos: it has one part only. A part may begin with a space.
size_t MergeSpace(std::string_view merge);

// Errors name what has the wrong size, is out of range or is not known.
Status CheckVocabulary(const Vocabulary& vocabulary);

// What a token is for. Control tokens are those that the file types so or unknown, and whatever
// their type those whose names are markers ("<|eot_id|>", ">>TITLE<<", "<end_of_turn>") and those
// that are BOS, EOS and the like, unless they are words that a text is made of.
struct TokenUse {
  enum Kind {
    kWord,         // what a text is cut into
    kUserDefined,  // found in a text before it is cut
    kControl,      // no part of any text
    kUnused,       // stands for nothing: typed so, or empty
  };
  Kind kind;
  // Of tokens with the same text, words or user-defined ones, only the first is read in a text, the
  // others are only written; and so with control tokens of the same name.
  bool is_first;
};

// [tokens] `vocabulary` must be one that CheckVocabulary() finds nothing wrong with.
std::vector<TokenUse> TokenUses(const Vocabulary& vocabulary);

// Where an answer ends: EOS, EOT and EOM, and the tokens <|eot_id|>, <|eom_id|>, <|end_of_text|>,
// <|im_end|>, <|endoftext|>, <|end|> and <end_of_turn>, as far as there are any, whatever their
// types. In rising order.
std::vector<int> StopTokens(const Vocabulary& vocabulary);

}  // namespace bitfetch

#endif  // BITFETCH_TEXT_VOCABULARY_H_
