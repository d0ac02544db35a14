// SPDX-License-Identifier: Apache-2.0
#include "cli/line_reader.h"

#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/errno_text.h"
#include "cli/interrupt.h"
#include "cli/text_encoding.h"

namespace bitfetch {

Result<LineReader::Outcome> LineReader::Read(std::string* line) {
  size_t searched = 0;
  while (true) {
    if (const size_t end = buffered_.find('\n', searched); end != std::string::npos) {
      const Result<Outcome> outcome = Take(end + 1, line);
      if (line->ends_with('\n')) line->pop_back();
      if (line->ends_with('\r')) line->pop_back();
      return outcome;
    }
    searched = buffered_.size();
    if (ended_) {
      if (buffered_.empty()) return Outcome::kEnd;
      return Take(buffered_.size(), line);
    }
    if (!WaitForInput(STDIN_FILENO)) return Outcome::kInterrupted;
    char piece[1 << 16];
    const ssize_t got = read(STDIN_FILENO, piece, sizeof piece);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return FailErrno("stdin");
    ended_ = got == 0;
    buffered_.append(piece, static_cast<size_t>(got));
  }
}

Result<LineReader::Outcome> LineReader::Take(size_t bytes, std::string* line) {
  *line = buffered_.substr(0, bytes);
  buffered_.erase(0, bytes);
  if (std::exchange(first_, false)) BITFETCH_RETURN_IF_ERROR(TakeUtf8("stdin", line));
  return Outcome::kLine;
}

}  // namespace bitfetch
