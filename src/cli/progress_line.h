// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_CLI_PROGRESS_LINE_H_
#define BITFETCH_CLI_PROGRESS_LINE_H_

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/progress.h"

namespace bitfetch {

// One line on stderr that says how far a thing is, where stderr is a terminal: drawn again in
// place, at most ten times a second, and gone in the end. What is done within the first second says
// nothing.
class ProgressLine {
 public:
  explicit ProgressLine(std::chrono::milliseconds wait = std::chrono::seconds(1));
  ~ProgressLine() { Clear(); }
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  void Show(std::string_view text);

  // Removes the line, if it is this one's; it comes back with the next Show.
  void Clear();

  // The same of any line, for a signal handler.
  static void Erase();

  // "loading 42 %", and nothing when all is done. Not to be called after the line is destroyed.
  Progress Percent(std::string what);

 private:
  static std::atomic<bool> drawn;  // there is one stderr

  bool terminal_;
  bool shown_ = false;
  std::chrono::steady_clock::time_point next_;  // not before then
};

}  // namespace bitfetch

#endif  // BITFETCH_CLI_PROGRESS_LINE_H_
