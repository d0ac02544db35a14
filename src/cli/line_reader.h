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
  // interruption nothing is lost: the next call goes on. Errors: what the system says.
  Result<Outcome> Read(std::string* line);

 private:
  std::string buffered_;
  bool ended_ = false;
};

}  // namespace bitfetch

#endif  // BITFETCH_CLI_LINE_READER_H_
