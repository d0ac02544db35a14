// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_SERVE_DIALECT_CONVERSATION_TASK_H_
#define BITFETCH_SERVE_DIALECT_CONVERSATION_TASK_H_

#include <string_view>

#include "serve/dialect/answer_stream.h"
#include "serve/dialect/conversation.h"
#include "serve/dialect/reply.h"
#include "serve/dialect/served_model.h"

namespace bitfetch {

// Makes a conversation the task's prompt, with what its answer must be. Returns what tells the
// parts of that answer. Errors: those of WriteConversation() and ConversationConstraint().
ApiResult<AnswerStream> SetConversation(const ServedModel& model, const Conversation& conversation,
                                        std::string_view param, CompletionTask* task);

}  // namespace bitfetch

#endif  // BITFETCH_SERVE_DIALECT_CONVERSATION_TASK_H_
