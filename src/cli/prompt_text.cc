// SPDX-License-Identifier: Apache-2.0
#include "cli/prompt_text.h"

#include <string_view>

namespace bitfetch {
namespace {

void AppendPlain(const Tokenizer& tokenizer, std::string_view text, std::string* shown) {
  for (size_t at = 0; at < text.size(); ++at) {
    if (!tokenizer.ControlTokenAt(text.substr(at)).empty()) *shown += '\\';
    *shown += text[at];
  }
}

}  // namespace

std::string PromptText(const Tokenizer& tokenizer, std::span<const int> ids) {
  std::string shown;
  std::string plain;
  for (const int id : ids) {
    const std::string_view name = tokenizer.ControlName(id);
    if (name.empty()) {
      plain += tokenizer.TokenBytes(id);
      continue;
    }
    AppendPlain(tokenizer, plain, &shown);
    plain.clear();
    shown += name;
  }
  AppendPlain(tokenizer, plain, &shown);
  return shown;
}

}  // namespace bitfetch
