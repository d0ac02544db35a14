// SPDX-License-Identifier: Apache-2.0
#include "serve/dialect/answer_stream.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/json_value.h"

namespace bitfetch {
namespace {

constexpr std::string_view kBegin = "<tool_call>";
constexpr std::string_view kEnd = "</tool_call>";
constexpr std::string_view kBlanks = " \t\r\n";

// The size of the longest end of `text` that may begin `mark`.
size_t Begun(std::string_view text, std::string_view mark) {
  size_t size = std::min(mark.size() - 1, text.size());
  while (!text.ends_with(mark.substr(0, size))) --size;
  return size;
}

constexpr JsonLimits kCallLimits = {.max_depth = 64, .refuses_repetition = false};

// None: not in the form of one.
std::optional<AnswerPart> ReadCall(std::string_view json) {
  const auto call = ParseJson(json, kCallLimits);
  if (!call) return std::nullopt;
  const auto* name = call->Find<std::string>("name");
  if (name == nullptr || name->empty()) return std::nullopt;
  const JsonValue* arguments = call->Find("arguments");
  if (arguments == nullptr) return AnswerPart{AnswerPart::kToolCall, "{}", *name};
  Result<JsonValue> quoted;
  if (const auto* text = arguments->As<std::string>()) {
    quoted = ParseJson(*text, kCallLimits);
    if (quoted) arguments = &*quoted;
  }
  if (!arguments->As<JsonValue::Object>()) return std::nullopt;
  return AnswerPart{AnswerPart::kToolCall, WriteJson(*arguments), *name};
}

void AddText(std::string_view text, std::vector<AnswerPart>* parts) {
  if (text.empty()) return;
  if (!parts->empty() && parts->back().kind == AnswerPart::kText) {
    parts->back().text += text;
  } else {
    parts->push_back({AnswerPart::kText, std::string(text)});
  }
}

}  // namespace

std::vector<AnswerPart> AnswerStream::Feed(std::string_view text) {
  std::vector<AnswerPart> parts;
  Take(thinking_.Feed(text), &parts);
  return parts;
}

std::vector<AnswerPart> AnswerStream::Finish() {
  std::vector<AnswerPart> parts;
  Take(thinking_.Finish(), &parts);
  if (in_call_) {
    AddCall(held_, "", &parts);  // the end of an answer may stand for that of its last call
  } else {
    AddText(held_, &parts);
  }
  return parts;
}

void AnswerStream::Take(const std::vector<ThinkingStream::Part>& told,
                        std::vector<AnswerPart>* parts) {
  for (const auto& [text, kind] : told) {
    if (kind == ThinkingStream::kThought) {
      parts->push_back({AnswerPart::kThought, text});
    } else if (kind == ThinkingStream::kSaid && !calls_tools_) {
      AddText(text, parts);
    } else if (kind == ThinkingStream::kSaid) {
      held_ += text;
      while (Step(parts)) {
      }
    }
  }
}

bool AnswerStream::Step(std::vector<AnswerPart>* parts) {
  if (in_call_) {
    const size_t end = held_.find(kEnd, searched_);
    if (end == std::string::npos) {
      searched_ = held_.size() - Begun(held_, kEnd);
      return false;
    }
    AddCall(std::string_view(held_).substr(0, end), kEnd, parts);
    held_.erase(0, end + kEnd.size());
    in_call_ = false;
    return true;
  }
  if (behind_call_) {
    held_.erase(0, held_.find_first_not_of(kBlanks));
    if (held_.empty()) return false;
    behind_call_ = false;
  }
  const size_t begin = held_.find(kBegin);
  const size_t rest = begin != std::string::npos ? begin : held_.size() - Begun(held_, kBegin);
  const size_t said = std::string_view(held_).substr(0, rest).find_last_not_of(kBlanks) + 1;
  AddText(std::string_view(held_).substr(0, said), parts);
  if (begin == std::string::npos) {
    held_.erase(0, said);
    return false;
  }
  held_.erase(0, begin + kBegin.size());
  in_call_ = true;
  searched_ = 0;
  return true;
}

void AnswerStream::AddCall(std::string_view json, std::string_view end,
                           std::vector<AnswerPart>* parts) {
  if (std::optional<AnswerPart> call = ReadCall(json)) {
    parts->push_back(*std::move(call));
    behind_call_ = true;
    return;
  }
  for (const std::string_view text : {kBegin, json, end}) AddText(text, parts);
}

}  // namespace bitfetch
