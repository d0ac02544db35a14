// SPDX-License-Identifier: Apache-2.0
#include "cli/answer_printer.h"

#include <fmt/format.h>

#include <cstdlib>

#include "cli/output.h"

namespace bitfetch {
namespace {

// Whether stdout is a terminal that obeys such sequences.
bool CanDim() {
  const char* kind = std::getenv("TERM");
  return StdoutIsTerminal() && kind != nullptr && std::string_view(kind) != "dumb" && *kind != '\0';
}

}  // namespace

Status AnswerPrinter::Finish() {
  BITFETCH_RETURN_IF_ERROR(Show(stream_.Finish()));
  progress_.Clear();
  return Print("\n");
}

Status AnswerPrinter::Show(const std::vector<ThinkingStream::Part>& parts) {
  for (const auto& [text, kind] : parts) {
    const bool is_thinking = kind != ThinkingStream::kSaid;
    if (is_thinking && hides_thinking_) {
      hidden_ += text.size();
      progress_.Show(fmt::format("thinking: {} bytes", hidden_));
      continue;
    }
    progress_.Clear();
    // Each piece by itself, so that whatever ends the program leaves no dim terminal.
    const bool dims = is_thinking && CanDim();
    if (dims) BITFETCH_RETURN_IF_ERROR(Print("\x1b[2m"));
    BITFETCH_RETURN_IF_ERROR(PrintModelText(text));
    if (dims) BITFETCH_RETURN_IF_ERROR(Print("\x1b[22m"));
  }
  return {};
}

}  // namespace bitfetch
