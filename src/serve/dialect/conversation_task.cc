// SPDX-License-Identifier: Apache-2.0
#include "serve/dialect/conversation_task.h"

#include <utility>

#include "serve/dialect/constraints.h"
#include "text/thinking.h"

namespace bitfetch {

ApiResult<AnswerStream> SetConversation(const ServedModel& model, const Conversation& conversation,
                                        std::string_view param, CompletionTask* task) {
  BITFETCH_ASSIGN_OR_RETURN(ConversationPrompt prompt,
                            WriteConversation(model, conversation, param));
  BITFETCH_ASSIGN_OR_RETURN(task->constraint,
                            ConversationConstraint(model, conversation, prompt.text));
  task->prompt = std::move(prompt.ids);
  return AnswerStream(EndsInThinking(prompt.text), !conversation.tools.empty());
}

}  // namespace bitfetch
