// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_SERVE_DIALECT_CHAT_MESSAGES_H_
#define BITFETCH_SERVE_DIALECT_CHAT_MESSAGES_H_

#include "serve/dialect/conversation.h"
#include "serve/dialect/field.h"
#include "serve/dialect/served_model.h"

namespace bitfetch {

// The conversation of /v1/chat/completions and /apply-template: messages, tools, tool_choice,
// response_format, reasoning_effort, and chat_template_kwargs.enable_thinking, which goes before
// the effort.
Conversation ReadChatMessages(const Field& request, const ServedModel& model);

}  // namespace bitfetch

#endif  // BITFETCH_SERVE_DIALECT_CHAT_MESSAGES_H_
