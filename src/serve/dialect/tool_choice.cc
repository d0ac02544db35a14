// SPDX-License-Identifier: Apache-2.0
#include "serve/dialect/tool_choice.h"

#include <string>
#include <utility>

namespace bitfetch {

ToolChoice ReadToolChoice(const Field& choice, std::string_view holder) {
  if (!choice.Is<JsonValue::Object>()) {
    std::string word = "auto";
    choice.GetOneOf(&word, {"none", "auto", "required"});
    return {.offers = word != "none", .must_call = word == "required"};
  }
  std::string type;
  choice["type"].Require();
  choice["type"].GetOneOf(&type, {"function"});
  const Field name = (holder.empty() ? choice : choice[holder])["name"];
  name.Require();
  return {.must_call = true, .name = name};
}

bool CallsTools(const ServedModel& model) {
  return model.chat_template &&
         model.chat_template->text().find("<tool_call>") != std::string::npos;
}

void OfferTools(const Field& request, const ServedModel& model, std::vector<Tool> tools,
                const ToolChoice& choice, Conversation* conversation) {
  if (!choice.offers) return;
  if (tools.empty()) {
    if (choice.must_call) request["tool_choice"].Refuse("wants a call, and there are no tools");
    return;
  }
  if (!CallsTools(model)) {
    return request["tools"].Refuse("can't be called by this model, whose chat template has none",
                                   "unsupported_parameter");
  }
  std::vector<jinja::Value> shown;
  for (Tool& tool : tools) shown.push_back(std::move(tool.shown));
  conversation->options.tools = std::move(shown);
  conversation->must_call = choice.must_call;
  if (choice.name) {
    std::string name;
    choice.name->Get(&name);
    std::erase_if(tools, [&](const Tool& tool) { return tool.name != name; });
    if (tools.empty()) choice.name->Refuse("is the name of none of the tools");
  }
  conversation->tools = std::move(tools);
}

void CheckToolResult(const Field& result, const ServedModel& model) {
  if (CallsTools(model)) return;
  result.Refuse("is the result of a tool, and this model's chat template has no tools",
                "unsupported_value");
}

}  // namespace bitfetch
