// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_CLI_ANSWER_PRINTER_H_
#define BITFETCH_CLI_ANSWER_PRINTER_H_

#include <string_view>

#include "base/error.h"
#include "cli/progress_line.h"
#include "text/thinking.h"

namespace bitfetch {

// Writes an answer to stdout as it comes. What a model thinks before it answers is dim where stdout
// is a terminal, or left out.
class AnswerPrinter {
 public:
  AnswerPrinter(bool begins_thinking, bool hides_thinking)
      : stream_(begins_thinking), hides_thinking_(hides_thinking) {}

  // Errors: those of Print().
  Status Put(std::string_view text) { return Show(stream_.Feed(text)); }
  // The rest, and a line end.
  Status Finish();

  ProgressLine& progress() { return progress_; }

 private:
  Status Show(const std::vector<ThinkingStream::Part>& parts);

  ThinkingStream stream_;
  bool hides_thinking_;
  size_t hidden_ = 0;  // bytes
  ProgressLine progress_;
};

}  // namespace bitfetch

#endif  // BITFETCH_CLI_ANSWER_PRINTER_H_
