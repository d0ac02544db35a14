// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_TEXT_CHAT_FORM_H_
#define BITFETCH_TEXT_CHAT_FORM_H_

#include <string_view>
#include <vector>

#include "base/error.h"
#include "text/tokenizer.h"

namespace bitfetch {

// A form of conversations that is known without a file's template: BitNet b1.58 2B4T's, Llama-3's,
// Falcon3's or ChatML.
struct ChatForm {
  std::string_view name;                 // bitnet, llama3, falcon3, chatml
  std::string_view text;                 // the chat template
  std::vector<std::string_view> tokens;  // control tokens without which it makes no sense
  bool needs_bos = false;
  bool needs_eos = false;
};

const std::vector<ChatForm>& ChatForms();

// Null: none has this name.
const ChatForm* FindChatForm(std::string_view name);

// The form of a model of this architecture whose file has a wrong template or may have one: 2B4T's
// for bitnet-b1.58 and bitnet-25, whatever tokens there are. Null for others.
const ChatForm* ChatFormOf(std::string_view architecture);

// The form whose control tokens the vocabulary has: ChatML's, Llama-3's or Falcon3's, looked for in
// this order. An error: it has those of none.
Result<const ChatForm*> ChatFormFor(const Tokenizer& tokenizer);

// An error names the token that the form needs and the vocabulary lacks.
Status CheckTokens(const ChatForm& form, const Tokenizer& tokenizer);

}  // namespace bitfetch

#endif  // BITFETCH_TEXT_CHAT_FORM_H_
