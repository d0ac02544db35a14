// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_ENGINE_READ_CHAT_TEMPLATE_H_
#define BITFETCH_ENGINE_READ_CHAT_TEMPLATE_H_

#include "base/error.h"
#include "model/gguf_reader.h"
#include "text/chat.h"
#include "text/tokenizer.h"

namespace bitfetch {

// The template for conversations with the model in this file: 2B4T's form for the architectures
// bitnet-b1.58 and bitnet-25, whatever the file says, since the template that was published with
// 2B4T is wrong; else the file's own (`tokenizer.chat_template`); else the form whose control
// tokens the vocabulary has. Errors name the file: none of these, a form that lacks a token, or a
// template that is none, with its line.
Result<ChatTemplate> ReadChatTemplate(const GgufReader& file, const Tokenizer& tokenizer);

}  // namespace bitfetch

#endif  // BITFETCH_ENGINE_READ_CHAT_TEMPLATE_H_
