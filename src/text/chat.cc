// SPDX-License-Identifier: Apache-2.0
#include "text/chat.h"

#include <algorithm>
#include <optional>

#include "base/printable.h"

namespace bitfetch {
namespace {

constexpr char kEndOfTurn[] = "<|eot_id|>";
constexpr char kStartHeader[] = "<|start_header_id|>";
constexpr char kEndHeader[] = "<|end_header_id|>";

std::string_view Trim(std::string_view text) {
  constexpr std::string_view kWhiteSpace = " \t\n\v\f\r";
  const size_t begin = text.find_first_not_of(kWhiteSpace);
  if (begin == std::string_view::npos) return "";
  return text.substr(begin, text.find_last_not_of(kWhiteSpace) - begin + 1);
}

Result<int> NeedControlToken(const Tokenizer& tokenizer, std::string_view name) {
  if (const std::optional<int> id = tokenizer.ControlToken(name)) return *id;
  return Fail("this model can't chat: its vocabulary has no control token {}", name);
}

}  // namespace

Result<ChatForm> ChatFormFor(std::string_view architecture, const Tokenizer& tokenizer) {
  if (architecture == "bitnet-b1.58" || architecture == "bitnet-25") return ChatForm::kBitNet;
  if (architecture == "llama") {
    if (tokenizer.ControlToken(kStartHeader) && tokenizer.ControlToken(kEndHeader)) {
      return ChatForm::kLlama3;
    }
    if (tokenizer.pre() == "falcon3") return ChatForm::kFalcon3;
    return Fail(
        "this model's chat form is not known: its vocabulary is neither Llama-3's nor Falcon3's");
  }
  return Fail("no chat form is known for the architecture '{}'", Printable(architecture));
}

Result<Chat> Chat::Create(ChatForm form, const Tokenizer* tokenizer, std::string system) {
  Chat chat(form, tokenizer, std::move(system));
  if (form == ChatForm::kFalcon3) {
    if (tokenizer->eos() < 0) return Fail("this model can't chat: its vocabulary has no EOS token");
    chat.end_of_turn_ = tokenizer->eos();
    return chat;
  }
  if (tokenizer->bos() < 0) return Fail("this model can't chat: its vocabulary has no BOS token");
  BITFETCH_ASSIGN_OR_RETURN(chat.end_of_turn_, NeedControlToken(*tokenizer, kEndOfTurn));
  if (form == ChatForm::kLlama3) {
    BITFETCH_ASSIGN_OR_RETURN(chat.start_header_, NeedControlToken(*tokenizer, kStartHeader));
    BITFETCH_ASSIGN_OR_RETURN(chat.end_header_, NeedControlToken(*tokenizer, kEndHeader));
  }
  return chat;
}

Result<std::vector<int>> Chat::Turn(std::span<const int> history, std::string_view user,
                                    size_t* replaced) const {
  std::vector<int> ids;
  if (history.empty()) {
    if (form_ != ChatForm::kFalcon3) ids.push_back(tokenizer_->bos());
    if (!system_.empty()) {
      BITFETCH_RETURN_IF_ERROR(AppendMessage(Role::kSystem, system_, &ids, replaced));
    }
  } else {
    const std::vector<int> stops = tokenizer_->StopTokens();
    if (!std::ranges::binary_search(stops, history.back())) ids.push_back(end_of_turn_);
    if (form_ == ChatForm::kFalcon3) BITFETCH_RETURN_IF_ERROR(AppendText("\n", &ids, replaced));
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
      constexpr const char* kNames[] = {"system", "user", "assistant"};
      ids->push_back(start_header_);
      BITFETCH_RETURN_IF_ERROR(AppendText(kNames[static_cast<int>(role)], ids, replaced));
      ids->push_back(end_header_);
      BITFETCH_RETURN_IF_ERROR(AppendText(fmt::format("\n\n{}", Trim(text)), ids, replaced));
      if (!is_answer) ids->push_back(end_of_turn_);
      return {};
    }
    case ChatForm::kFalcon3:
      break;
  }
  constexpr const char* kMarkers[] = {"<|system|>", "<|user|>", "<|assistant|>"};
  const std::string marker = kMarkers[static_cast<int>(role)];
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
