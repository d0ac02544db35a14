// SPDX-License-Identifier: Apache-2.0
#include "serve/dialect/prompt_list.h"

#include "serve/dialect/prompt.h"

namespace bitfetch {

std::vector<ListedPrompt> ReadPromptList(const Field& prompt, const Tokenizer& tokenizer) {
  std::vector<ListedPrompt> prompts;
  const auto add = [&](const Field& field) {
    ListedPrompt& listed = prompts.emplace_back();
    listed.param = field.path();
    if (field.Is<JsonValue::List>()) {
      field.Get(&listed.ids, tokenizer.size());
    } else {
      field.Require();
      field.Get(&listed.text.emplace());
    }
  };
  const auto* list = prompt.given() ? prompt.value()->As<JsonValue::List>() : nullptr;
  const bool is_one = list == nullptr || (!list->empty() && list->front().As<int64_t>());
  if (is_one) {
    add(prompt);
    return prompts;
  }
  for (const Field& item : prompt.Items()) add(item);
  if (prompts.empty()) prompt.Refuse("must hold a prompt at least");
  return prompts;
}

ApiResult<std::vector<int>> PromptIds(const ServedModel& model, const ListedPrompt& prompt) {
  if (prompt.text) return EncodePrompt(model, *prompt.text, prompt.param);
  BITFETCH_RETURN_IF_ERROR(CheckPrompt(model, prompt.ids, prompt.param));
  return prompt.ids;
}

}  // namespace bitfetch
