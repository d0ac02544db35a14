// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_SERVE_DIALECT_TOOL_CHOICE_H_
#define BITFETCH_SERVE_DIALECT_TOOL_CHOICE_H_

#include <optional>
#include <string_view>
#include <vector>

#include "serve/dialect/conversation.h"
#include "serve/dialect/field.h"
#include "serve/dialect/served_model.h"

namespace bitfetch {

// What a request's tool_choice says.
struct ToolChoice {
  bool offers = true;              // the model hears of the tools
  bool must_call = false;          // the answer is a call
  std::optional<Field> name = {};  // of the only tool that may be called
};

// OpenAI's: none, auto, required, or an object that names a function, in its member `holder` or,
// where that is empty, beside the type.
ToolChoice ReadToolChoice(const Field& choice, std::string_view holder = "");

// Gives the tools of a request to the conversation, as its tool_choice says. An error where the
// model can't call them: those can whose template and answers have calls as Qwen3's do.
void OfferTools(const Field& request, const ServedModel& model, std::vector<Tool> tools,
                const ToolChoice& choice, Conversation* conversation);
bool CallsTools(const ServedModel& model);

// An error where a conversation has the result of a tool that the model can't have called.
void CheckToolResult(const Field& result, const ServedModel& model);

}  // namespace bitfetch

#endif  // BITFETCH_SERVE_DIALECT_TOOL_CHOICE_H_
