// SPDX-License-Identifier: Apache-2.0
#include "text/chat.h"

#include <algorithm>
#include <initializer_list>
#include <optional>

namespace bitfetch {
namespace {

constexpr char kEndOfTurn[] = "<|eot_id|>";
constexpr char kStartHeader[] = "<|start_header_id|>";
constexpr char kEndHeader[] = "<|end_header_id|>";
constexpr char kChatMlStart[] = "<|im_start|>";
constexpr char kChatMlEnd[] = "<|im_end|>";

constexpr const char* kRoles[] = {"system", "user", "assistant"};

std::string_view Trim(std::string_view text) {
  constexpr std::string_view kWhiteSpace = " \t\n\v\f\r";
  const size_t begin = text.find_first_not_of(kWhiteSpace);
  if (begin == std::string_view::npos) return "";
  return text.substr(begin, text.find_last_not_of(kWhiteSpace) - begin + 1);
}

Result<int> NeedControlToken(const Tokenizer& tokenizer, std::string_view name) {
  if (const std::optional<int> id = tokenizer.ControlToken(name)) return *id;
  return Fail("this model can't chat: its vocabulary has no token {}", name);
}

}  // namespace

Result<ChatForm> ChatFormFor(std::string_view architecture, const Tokenizer& tokenizer) {
  if (architecture == "bitnet-b1.58" || architecture == "bitnet-25") return ChatForm::kBitNet;
  const auto has = [&](std::initializer_list<std::string_view> names) {
    return std::ranges::all_of(
        names, [&](std::string_view name) { return tokenizer.ControlToken(name).has_value(); });
  };
  // First, for it is added to vocabularies of others, Llama-3's among them, by who trains on.
  if (has({kChatMlStart, kChatMlEnd})) return ChatForm::kChatMl;
  if (has({kStartHeader, kEndHeader})) return ChatForm::kLlama3;
  // Falcon's vocabularies have no token of their form, but some that nobody else has. Where a
  // message ends in <|end|>, the same markers are another form.
  if (has({">>TITLE<<"}) || (has({"<|user|>", "<|assistant|>"}) && !has({"<|end|>"}))) {
    return ChatForm::kFalcon3;
  }
  return Fail(
      "this model's chat form is not known: its vocabulary has the tokens of none that is "
      "(Llama-3's, ChatML's, Falcon3's)");
}

Result<Chat> Chat::Create(ChatForm form, const Tokenizer* tokenizer, std::string system) {
  Chat chat(form, tokenizer, std::move(system));
  if (form == ChatForm::kFalcon3) {
    if (tokenizer->eos() < 0) return Fail("this model can't chat: its vocabulary has no EOS token");
    chat.end_of_turn_ = tokenizer->eos();
    return chat;
  }
  if (form == ChatForm::kChatMl) {
    BITFETCH_ASSIGN_OR_RETURN(chat.start_, NeedControlToken(*tokenizer, kChatMlStart));
    BITFETCH_ASSIGN_OR_RETURN(chat.end_of_turn_, NeedControlToken(*tokenizer, kChatMlEnd));
    return chat;
  }
  if (tokenizer->bos() < 0) return Fail("this model can't chat: its vocabulary has no BOS token");
  BITFETCH_ASSIGN_OR_RETURN(chat.end_of_turn_, NeedControlToken(*tokenizer, kEndOfTurn));
  if (form == ChatForm::kLlama3) {
    BITFETCH_ASSIGN_OR_RETURN(chat.start_, NeedControlToken(*tokenizer, kStartHeader));
    BITFETCH_ASSIGN_OR_RETURN(chat.end_header_, NeedControlToken(*tokenizer, kEndHeader));
  }
  return chat;
}

bool Chat::BeginsWithBos() const {
  if (form_ == ChatForm::kChatMl) return tokenizer_->add_bos() && tokenizer_->bos() >= 0;
  return form_ != ChatForm::kFalcon3;
}

Result<std::vector<int>> Chat::Turn(std::span<const int> history, std::string_view user,
                                    size_t* replaced) const {
  std::vector<int> ids;
  if (history.empty()) {
    if (BeginsWithBos()) ids.push_back(tokenizer_->bos());
    if (!system_.empty()) {
      BITFETCH_RETURN_IF_ERROR(AppendMessage(Role::kSystem, system_, &ids, replaced));
    }
  } else {
    if (!std::ranges::binary_search(tokenizer_->StopTokens(), history.back())) {
      ids.push_back(end_of_turn_);
    }
    if (form_ == ChatForm::kFalcon3 || form_ == ChatForm::kChatMl) {
      BITFETCH_RETURN_IF_ERROR(AppendText("\n", &ids, replaced));
    }
  }
  BITFETCH_RETURN_IF_ERROR(AppendMessage(Role::kUser, user, &ids, replaced));
  BITFETCH_RETURN_IF_ERROR(AppendMessage(Role::kAssistant, "", &ids, replaced));
  return ids;
}

Status Chat::AppendMessage(Role role, std::string_view text, std::vector<int>* ids,
                           size_t* replaced) const {
  const bool is_answer = role == Role::kAssistant;
  switch (form_) {
    case ChatForm::kBitNet: {
      constexpr const char* kNames[] = {"System", "User", "Assistant"};
      const char* name = kNames[static_cast<int>(role)];
      BITFETCH_RETURN_IF_ERROR(AppendText(fmt::format("{}: {}", name, Trim(text)), ids, replaced));
      if (!is_answer) ids->push_back(end_of_turn_);
      return {};
    }
    case ChatForm::kLlama3: {
      ids->push_back(start_);
      BITFETCH_RETURN_IF_ERROR(AppendText(kRoles[static_cast<int>(role)], ids, replaced));
      ids->push_back(end_header_);
      BITFETCH_RETURN_IF_ERROR(AppendText(fmt::format("\n\n{}", Trim(text)), ids, replaced));
      if (!is_answer) ids->push_back(end_of_turn_);
      return {};
    }
    case ChatForm::kChatMl: {
      ids->push_back(start_);
      BITFETCH_RETURN_IF_ERROR(
          AppendText(fmt::format("{}\n{}", kRoles[static_cast<int>(role)], text), ids, replaced));
      if (is_answer) return {};
      ids->push_back(end_of_turn_);
      return AppendText("\n", ids, replaced);
    }
    case ChatForm::kFalcon3:
      break;
  }
  const std::string marker = fmt::format("<|{}|>", kRoles[static_cast<int>(role)]);
  std::string message = is_answer ? "\n" : fmt::format("\n{}\n", text);
  if (const std::optional<int> id = tokenizer_->ControlToken(marker)) {
    ids->push_back(*id);
  } else {
    message.insert(0, marker);
  }
  return AppendText(message, ids, replaced);
}

Status Chat::AppendText(std::string_view text, std::vector<int>* ids, size_t* replaced) const {
  BITFETCH_ASSIGN_OR_RETURN(const std::vector<int> encoded,
                            tokenizer_->Encode(text, /*add_bos=*/false, replaced));
  ids->insert(ids->end(), encoded.begin(), encoded.end());
  return {};
}

}  // namespace bitfetch
