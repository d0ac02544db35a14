// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_CLI_LINE_EDITOR_H_
#define BITFETCH_CLI_LINE_EDITOR_H_

#include <memory>
#include <string>

#include "base/error.h"
#include "cli/line_reader.h"

namespace bitfetch {

// Lines from a terminal on stdin, edited as in a shell, while Ctrl-C is caught (cli/interrupt.h). A
// paste goes into the line as it is, its line ends too. From Create on nothing that is typed is
// lost, however long it is and whatever the program is doing.
class LineEditor {
 public:
  // Null where stdin is no terminal. One at a time.
  static std::unique_ptr<LineEditor> Create();
  ~LineEditor();
  LineEditor(const LineEditor&) = delete;
  LineEditor& operator=(const LineEditor&) = delete;

  // The next line, without its end, into `*line`: UTF-8. After Ctrl-C what was typed is dropped.
  // Errors: what the system says.
  Result<LineReader::Outcome> Read(const std::string& prompt, std::string* line);

  // For the arrow keys, now and in later runs: the user's history.
  void Remember(const std::string& text);

 private:
  struct State;

  explicit LineEditor(std::unique_ptr<State> state);

  std::unique_ptr<State> state_;
};

}  // namespace bitfetch

#endif  // BITFETCH_CLI_LINE_EDITOR_H_
