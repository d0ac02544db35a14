// SPDX-License-Identifier: Apache-2.0
#include "cli/message_reader.h"

#include <string_view>

#include "cli/output.h"

namespace bitfetch {
namespace {

constexpr std::string_view kQuote = R"(""")";

std::string_view WithoutBlanksBehind(std::string_view text) {
  return text.substr(0, text.find_last_not_of(" \t") + 1);
}

// What stands between the quotes of `text`, which begins with one and may end with one: without the
// line ends next to them.
std::string_view Unquoted(std::string_view text) {
  text.remove_prefix(kQuote.size());
  if (text.ends_with(kQuote)) text.remove_suffix(kQuote.size());
  if (text.starts_with('\n')) text.remove_prefix(1);
  if (text.ends_with('\n')) text.remove_suffix(1);
  return text;
}

}  // namespace

Result<LineReader::Outcome> MessageReader::Read(Message* message) {
  std::string& text = message->text;
  message->quoted = false;
  BITFETCH_ASSIGN_OR_RETURN(LineReader::Outcome outcome, ReadLine("> ", &text));
  if (outcome != LineReader::Outcome::kLine) return outcome;
  message->quoted = text.starts_with(kQuote);
  if (!message->quoted) {
    if (editor_ && text.find_first_not_of(" \t\n") != std::string::npos) editor_->Remember(text);
    return outcome;
  }
  while (!WithoutBlanksBehind(text).substr(kQuote.size()).ends_with(kQuote)) {
    std::string line;
    BITFETCH_ASSIGN_OR_RETURN(outcome, ReadLine("... ", &line));
    if (outcome == LineReader::Outcome::kInterrupted) return outcome;
    if (outcome == LineReader::Outcome::kEnd) {
      if (editor_) Say("\n");
      break;
    }
    text += '\n' + line;
  }
  text = WithoutBlanksBehind(text);
  if (editor_) editor_->Remember(text);
  text = Unquoted(text);
  return LineReader::Outcome::kLine;
}

Result<LineReader::Outcome> MessageReader::ReadLine(const std::string& prompt, std::string* line) {
  return editor_ ? editor_->Read(prompt, line) : lines_.Read(line);
}

}  // namespace bitfetch
