// SPDX-License-Identifier: Apache-2.0
#include "text/thinking.h"

#include <algorithm>

namespace bitfetch {
namespace {

constexpr std::string_view kBegin = "<think>";
constexpr std::string_view kEnd = "</think>";
constexpr std::string_view kBlanks = " \t\r\n";

}  // namespace

bool EndsInThinking(std::string_view prompt) {
  return prompt.substr(0, prompt.find_last_not_of(kBlanks) + 1).ends_with(kBegin);
}

std::vector<ThinkingStream::Part> ThinkingStream::Feed(std::string_view text) {
  held_ += text;
  std::vector<Part> parts;
  while (Step(&parts)) {
  }
  return parts;
}

std::vector<ThinkingStream::Part> ThinkingStream::Finish() {
  std::vector<Part> parts;
  Emit(held_.size(), at_ == kInside || at_ == kBehind, &parts);
  return parts;
}

bool ThinkingStream::Step(std::vector<Part>* parts) {
  const size_t blanks = std::min(held_.find_first_not_of(kBlanks), held_.size());
  std::string_view rest = held_;
  rest.remove_prefix(blanks);
  switch (at_) {
    case kBefore:
      if (rest.starts_with(kBegin)) {
        Emit(blanks + kBegin.size(), /*is_thinking=*/true, parts);
        at_ = kInside;
        return true;
      }
      if (kBegin.starts_with(rest)) return false;
      at_ = kAnswer;
      return true;
    case kInside: {
      if (const size_t end = held_.find(kEnd); end != std::string::npos) {
        Emit(end + kEnd.size(), /*is_thinking=*/true, parts);
        at_ = kBehind;
        return true;
      }
      size_t kept = std::min(kEnd.size() - 1, held_.size());
      while (!held_.ends_with(kEnd.substr(0, kept))) --kept;
      Emit(held_.size() - kept, /*is_thinking=*/true, parts);
      return false;
    }
    case kBehind:
      Emit(blanks, /*is_thinking=*/true, parts);
      if (held_.empty()) return false;
      at_ = kAnswer;
      return true;
    case kAnswer:
      Emit(held_.size(), /*is_thinking=*/false, parts);
      return false;
  }
  return false;
}

void ThinkingStream::Emit(size_t size, bool is_thinking, std::vector<Part>* parts) {
  if (size == 0) return;
  if (!parts->empty() && parts->back().is_thinking == is_thinking) {
    parts->back().text += held_.substr(0, size);
  } else {
    parts->push_back({held_.substr(0, size), is_thinking});
  }
  held_.erase(0, size);
}

}  // namespace bitfetch
