// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_CLI_LINE_READER_H_
#define BITFETCH_CLI_LINE_READER_H_

#include <string>

#include "base/error.h"

namespace bitfetch {

// Lines from stdin, while Ctrl-C is caught (cli/interrupt.h).
class LineReader {
 public:
  enum class Outcome { kLine, kEnd, kInterrupted };

  // The next line, without its end, into `*line`; also a last one that has no end. After an
  // interruption nothing is lost: the next call goes on. UTF-8's byte-order mark is no part of the
  // first line. Errors: what the system says; a first line that is in UTF-16 or UTF-32.
  Result<Outcome> Read(std::string* line);

 private:
  Result<Outcome> Take(size_t bytes, std::string* line);

  std::string buffered_;
  bool first_ = true;
  bool ended_ = false;
};

}  // namespace bitfetch

#endif  // BITFETCH_CLI_LINE_READER_H_
