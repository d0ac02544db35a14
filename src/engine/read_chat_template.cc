// SPDX-License-Identifier: Apache-2.0
#include "engine/read_chat_template.h"

#include <string>
#include <string_view>

#include "text/chat_form.h"

namespace bitfetch {
namespace {

constexpr char kKey[] = "tokenizer.chat_template";

// Of a file without a template of its own, or with a wrong one.
Result<ChatTemplate> KnownForm(const ChatForm* form, const Tokenizer& tokenizer) {
  if (form == nullptr) {
    BITFETCH_ASSIGN_OR_RETURN(form, ChatFormFor(tokenizer));
  }
  BITFETCH_RETURN_IF_ERROR(CheckTokens(*form, tokenizer));
  return ChatTemplate::Parse(fmt::format("the form {}", form->name), std::string(form->text));
}

}  // namespace

Result<ChatTemplate> ReadChatTemplate(const GgufReader& file, const Tokenizer& tokenizer) {
  BITFETCH_ASSIGN_OR_RETURN(const auto architecture,
                            file.Get<std::string_view>("general.architecture"));
  const ChatForm* form = ChatFormOf(architecture);
  if (form == nullptr && file.Has(kKey)) {
    BITFETCH_ASSIGN_OR_RETURN(const auto text, file.Get<std::string_view>(kKey));
    return ChatTemplate::Parse(fmt::format("{}: {}", file.path(), kKey), std::string(text));
  }
  return KnownForm(form, tokenizer).map_error([&](const Error& error) {
    return Error{fmt::format("{}: {}", file.path(), error.message)};
  });
}

}  // namespace bitfetch
