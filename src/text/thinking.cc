// SPDX-License-Identifier: Apache-2.0
#include "text/thinking.h"

#include <algorithm>

namespace bitfetch {
namespace {

constexpr std::string_view kBlanks = " \t\r\n";

bool EndsIn(std::string_view mark, std::string_view prompt) {
  return prompt.substr(0, prompt.find_last_not_of(kBlanks) + 1).ends_with(mark);
}

}  // namespace

bool EndsInThinking(std::string_view prompt) { return EndsIn(kThoughtsBegin, prompt); }
bool EndsBehindThinking(std::string_view prompt) { return EndsIn(kThoughtsEnd, prompt); }

std::vector<ThinkingStream::Part> ThinkingStream::Feed(std::string_view text) {
  held_ += text;
  std::vector<Part> parts;
  while (Step(&parts)) {
  }
  return parts;
}

std::vector<ThinkingStream::Part> ThinkingStream::Finish() {
  std::vector<Part> parts;
  if (at_ == kInside) Emit(held_.find_last_not_of(kBlanks) + 1, kThought, &parts);
  Emit(held_.size(), at_ == kBefore || at_ == kAnswer ? kSaid : kMark, &parts);
  return parts;
}

bool ThinkingStream::Step(std::vector<Part>* parts) {
  const size_t blanks = std::min(held_.find_first_not_of(kBlanks), held_.size());
  std::string_view rest = held_;
  rest.remove_prefix(blanks);
  switch (at_) {
    case kBefore:
      if (rest.starts_with(kThoughtsBegin)) {
        Emit(blanks + kThoughtsBegin.size(), kMark, parts);
        at_ = kBegun;
        return true;
      }
      if (kThoughtsBegin.starts_with(rest)) return false;
      at_ = kAnswer;
      return true;
    case kInside: {
      const size_t end = held_.find(kThoughtsEnd);
      size_t kept = 0;  // what may begin the mark
      if (end == std::string::npos) {
        kept = std::min(kThoughtsEnd.size() - 1, held_.size());
        while (!held_.ends_with(kThoughtsEnd.substr(0, kept))) --kept;
      }
      const std::string_view thought(held_.data(), std::min(end, held_.size() - kept));
      const size_t size = thought.find_last_not_of(kBlanks) + 1;
      Emit(size, kThought, parts);
      if (end == std::string::npos) return false;
      Emit(end + kThoughtsEnd.size() - size, kMark, parts);
      at_ = kBehind;
      return true;
    }
    case kBegun:
    case kBehind:
      Emit(blanks, kMark, parts);
      if (held_.empty()) return false;
      at_ = at_ == kBegun ? kInside : kAnswer;
      return true;
    case kAnswer:
      Emit(held_.size(), kSaid, parts);
      return false;
  }
  return false;
}

void ThinkingStream::Emit(size_t size, Kind kind, std::vector<Part>* parts) {
  if (size == 0) return;
  if (!parts->empty() && parts->back().kind == kind) {
    parts->back().text += held_.substr(0, size);
  } else {
    parts->push_back({held_.substr(0, size), kind});
  }
  held_.erase(0, size);
}

}  // namespace bitfetch
