// SPDX-License-Identifier: Apache-2.0
#include "cli/line_reader.h"

#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "cli/interrupt.h"

namespace bitfetch {

Result<LineReader::Outcome> LineReader::Read(std::string* line) {
  size_t searched = 0;
  while (true) {
    if (const size_t end = buffered_.find('\n', searched); end != std::string::npos) {
      *line = buffered_.substr(0, end);
      if (line->ends_with('\r')) line->pop_back();
      buffered_.erase(0, end + 1);
      return Outcome::kLine;
    }
    searched = buffered_.size();
    if (ended_) {
      if (buffered_.empty()) return Outcome::kEnd;
      *line = std::exchange(buffered_, {});
      return Outcome::kLine;
    }
    if (!WaitForInput(STDIN_FILENO)) return Outcome::kInterrupted;
    char piece[1 << 16];
    const ssize_t got = read(STDIN_FILENO, piece, sizeof piece);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Fail("stdin: {}", std::generic_category().message(errno));
    ended_ = got == 0;
    buffered_.append(piece, static_cast<size_t>(got));
  }
}

}  // namespace bitfetch
