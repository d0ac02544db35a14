// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_CLI_MESSAGE_READER_H_
#define BITFETCH_CLI_MESSAGE_READER_H_

#include <memory>
#include <string>

#include "base/error.h"
#include "cli/line_editor.h"
#include "cli/line_reader.h"

namespace bitfetch {

// What someone says in a chat: typed at a terminal, or read from a file or a pipe. While Ctrl-C is
// caught (cli/interrupt.h).
class MessageReader {
 public:
  struct Message {
    std::string text;
    bool quoted = false;  // between """ and """
  };

  bool on_terminal() const { return editor_ != nullptr; }

  // The next message: a line, a paste that was entered with it, or what stands between """ and """.
  // A quoted one that the input's end (Ctrl-D) cuts off counts as whole; one that Ctrl-C cuts off
  // is dropped, `message->quoted` then being true. Errors: those of the readers of lines.
  Result<LineReader::Outcome> Read(Message* message);

 private:
  Result<LineReader::Outcome> ReadLine(const std::string& prompt, std::string* line);

  std::unique_ptr<LineEditor> editor_ = LineEditor::Create();
  LineReader lines_;
};

}  // namespace bitfetch

#endif  // BITFETCH_CLI_MESSAGE_READER_H_
