// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_CLI_HISTORY_FILE_H_
#define BITFETCH_CLI_HISTORY_FILE_H_

#include <string>

struct historyW;

namespace bitfetch {

// What was said to models, the last 1000 texts of all runs: $XDG_STATE_HOME/bitfetch/history, else
// below ~/.local/state, readable by the user alone, in libedit's format. A file that cannot be
// written is one warning. Needs a locale with UTF-8.
class HistoryFile {
 public:
  HistoryFile();
  ~HistoryFile();
  HistoryFile(const HistoryFile&) = delete;
  HistoryFile& operator=(const HistoryFile&) = delete;

  // Also appends to the file. `wide` is the same text.
  void Add(const std::string& text, const std::wstring& wide);

  historyW* get() { return history_; }  // for libedit

 private:
  historyW* history_;
  std::string path_;  // empty where none is kept
};

}  // namespace bitfetch

#endif  // BITFETCH_CLI_HISTORY_FILE_H_
