// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_TEXT_CHAT_H_
#define BITFETCH_TEXT_CHAT_H_

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "text/tokenizer.h"

namespace bitfetch {

// How a conversation is written as tokens. In the forms below <|...|> is one control token, except
// that Falcon3's markers are text where its vocabulary has no such token (as in its training, and
// so that a user can imitate them).
enum class ChatForm {
  // BitNet b1.58 2B4T:  BOS  Role: text<|eot_id|>  ...  Assistant:   (with a space at the end)
  kBitNet,
  // Llama-3:  BOS  <|start_header_id|>role<|end_header_id|>\n\ntext<|eot_id|>  ...  the assistant's
  // header
  kLlama3,
  // Falcon3:  <|role|>\ntext\n  ...  <|assistant|>\n    (no BOS; an answer ends in EOS and a line
  // end)
  kFalcon3,
  // ChatML:  <|im_start|>role\ntext<|im_end|>\n  ...  <|im_start|>assistant\n    (BOS in front
  // where
  // the file asks for it)
  kChatMl,
};

// The form for a model: bitnet-b1.58 and bitnet-25 have 2B4T's, whatever tokens there are. Others
// have the form whose control tokens the vocabulary has: ChatML's, Llama-3's or Falcon3's, looked
// for in this order. Otherwise an error that says so.
Result<ChatForm> ChatFormFor(std::string_view architecture, const Tokenizer& tokenizer);

// One side of a conversation: makes the tokens that come before each answer. It holds no history,
// so that a conversation can be cut back or forked.
class Chat {
 public:
  // An error names the token that the form needs and the vocabulary lacks. `tokenizer` must outlive
  // the chat. `system` may be empty: no such message.
  static Result<Chat> Create(ChatForm form, const Tokenizer* tokenizer, std::string system);

  // What to append to `history` so that the model answers `user` next. An empty history begins the
  // conversation: BOS and the system message come first. Otherwise `history` ends in an answer,
  // with or without its stop token: if the answer was cut off, its end comes first. Texts are read
  // as text only, whatever they contain; broken UTF-8 as in Tokenizer::Encode(). As in the models'
  // own templates, 2B4T's and Llama-3's forms drop (ASCII) white space around a text.
  Result<std::vector<int>> Turn(std::span<const int> history, std::string_view user,
                                size_t* replaced = nullptr) const;

 private:
  enum class Role { kSystem, kUser, kAssistant };

  Chat(ChatForm form, const Tokenizer* tokenizer, std::string system)
      : form_(form), tokenizer_(tokenizer), system_(std::move(system)) {}

  // A whole message, or for the assistant what stands before its text.
  Status AppendMessage(Role role, std::string_view text, std::vector<int>* ids,
                       size_t* replaced) const;
  Status AppendText(std::string_view text, std::vector<int>* ids, size_t* replaced) const;
  bool BeginsWithBos() const;

  ChatForm form_;
  const Tokenizer* tokenizer_;
  std::string system_;
  int end_of_turn_ = -1;
  int start_ = -1;       // of a message: Llama-3 and ChatML
  int end_header_ = -1;  // Llama-3 only
};

}  // namespace bitfetch

#endif  // BITFETCH_TEXT_CHAT_H_
