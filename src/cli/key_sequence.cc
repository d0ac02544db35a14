// SPDX-License-Identifier: Apache-2.0
#include "cli/key_sequence.h"

namespace bitfetch {

KeySequence NextKeySequence(std::string_view typed) {
  constexpr KeySequence kUnfinished = {KeySequence::Kind::kUnfinished};
  const auto whole = [](size_t size) { return KeySequence{KeySequence::Kind::kWhole, size}; };
  if (!typed.starts_with('\x1b')) return {KeySequence::Kind::kNone};
  size_t at = typed.find_first_not_of('\x1b');
  if (at == std::string_view::npos) return kUnfinished;
  if (typed[at] != '[' && typed[at] != 'O') return {KeySequence::Kind::kNone};
  ++at;
  if (typed.substr(at - 1).starts_with("[[")) {
    return at + 1 < typed.size() ? whole(at + 2) : kUnfinished;
  }
  for (; at < typed.size(); ++at) {
    const char c = typed[at];
    if ((c >= '@' && c <= '~') || c == '$') return whole(at + 1);
    if (c < ' ' || c > '?') return whole(at);
  }
  return kUnfinished;
}

}  // namespace bitfetch
