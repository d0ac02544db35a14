// SPDX-License-Identifier: Apache-2.0
#include "text/chat_form.h"

#include <algorithm>
#include <initializer_list>

namespace bitfetch {
namespace {

// As in the models' own templates, white space around what is said is dropped where 2B4T and
// Llama-3 are told it. Answers stay as they were written.
constexpr std::string_view kBitNetForm =
    R"({{ bos_token }}{% for message in messages %}{{ message.role | capitalize }}: {{ message.content if message.role == 'assistant' else message.content | trim }}<|eot_id|>{% endfor %}{% if add_generation_prompt %}Assistant: {% endif %})";

constexpr std::string_view kLlama3Form =
    R"({{ bos_token }}{% for message in messages %}<|start_header_id|>{{ message.role }}<|end_header_id|>

{{ message.content if message.role == 'assistant' else message.content | trim }}<|eot_id|>{% endfor %}{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>

{% endif %})";

// No BOS. The markers are control tokens where the vocabulary has them, and else text, as in its
// training (and so that a user can imitate them).
constexpr std::string_view kFalcon3Form =
    R"({% for message in messages %}<|{{ message.role }}|>
{{ message.content }}{% if message.role == 'assistant' %}{{ eos_token }}{% endif %}{{ '\n' }}{% endfor %}{% if add_generation_prompt %}<|assistant|>
{% endif %})";

constexpr std::string_view kChatMlForm =
    R"({% if add_bos_token %}{{ bos_token }}{% endif %}{% for message in messages %}<|im_start|>{{ message.role }}
{{ message.content }}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %})";

}  // namespace

const std::vector<ChatForm>& ChatForms() {
  static const std::vector<ChatForm> forms = {
      {"bitnet", kBitNetForm, {"<|eot_id|>"}, /*needs_bos=*/true},
      {"llama3",
       kLlama3Form,
       {"<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"},
       /*needs_bos=*/true},
      {"falcon3", kFalcon3Form, {}, /*needs_bos=*/false, /*needs_eos=*/true},
      {"chatml", kChatMlForm, {"<|im_start|>", "<|im_end|>"}},
  };
  return forms;
}

const ChatForm* FindChatForm(std::string_view name) {
  const auto found = std::ranges::find(ChatForms(), name, &ChatForm::name);
  return found == ChatForms().end() ? nullptr : &*found;
}

const ChatForm* ChatFormOf(std::string_view architecture) {
  const bool is_bitnet = architecture == "bitnet-b1.58" || architecture == "bitnet-25";
  return is_bitnet ? FindChatForm("bitnet") : nullptr;
}

Result<const ChatForm*> ChatFormFor(const Tokenizer& tokenizer) {
  const auto has = [&](std::initializer_list<std::string_view> names) {
    return std::ranges::all_of(
        names, [&](std::string_view name) { return tokenizer.ControlToken(name).has_value(); });
  };
  // First, for it is added to vocabularies of others, Llama-3's among them, by who trains on.
  if (has({"<|im_start|>", "<|im_end|>"})) return FindChatForm("chatml");
  if (has({"<|start_header_id|>", "<|end_header_id|>"})) return FindChatForm("llama3");
  // Falcon's vocabularies have no token of their form, but some that nobody else has. Where a
  // message ends in <|end|>, the same markers are another form.
  if (has({">>TITLE<<"}) || (has({"<|user|>", "<|assistant|>"}) && !has({"<|end|>"}))) {
    return FindChatForm("falcon3");
  }
  return Fail(
      "this model's chat form is not known: it has no chat template, and its vocabulary has the "
      "tokens of no form that is (Llama-3's, ChatML's, Falcon3's)");
}

Status CheckTokens(const ChatForm& form, const Tokenizer& tokenizer) {
  const auto lacks = [&](std::string_view what) {
    return Fail("this model can't chat in the form {}: its vocabulary has no {}", form.name, what);
  };
  if (form.needs_bos && tokenizer.bos() < 0) return lacks("BOS token");
  if (form.needs_eos && tokenizer.eos() < 0) return lacks("EOS token");
  for (const std::string_view token : form.tokens) {
    if (!tokenizer.ControlToken(token)) return lacks(fmt::format("token {}", token));
  }
  return {};
}

}  // namespace bitfetch
