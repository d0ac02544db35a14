// SPDX-License-Identifier: Apache-2.0
#include "cli/progress_line.h"

#include <utility>

#include "cli/output.h"

namespace bitfetch {

std::atomic<bool> ProgressLine::drawn{false};

ProgressLine::ProgressLine(std::chrono::milliseconds wait)
    : terminal_(StderrIsTerminal()), next_(std::chrono::steady_clock::now() + wait) {}

void ProgressLine::Show(std::string_view text) {
  if (!terminal_) return;
  const auto now = std::chrono::steady_clock::now();
  if (now < next_) return;
  next_ = now + std::chrono::milliseconds(100);
  drawn = shown_ = true;
  Say(fmt::format("\r{}\x1b[K", text));
}

void ProgressLine::Clear() {
  if (std::exchange(shown_, false)) Erase();
}

void ProgressLine::Erase() {
  if (drawn.exchange(false)) Say("\r\x1b[K");
}

Progress ProgressLine::Percent(std::string what) {
  return [this, what = std::move(what)](int64_t done, int64_t total) {
    if (done >= total) return Clear();
    Show(fmt::format("{} {} %", what, 100 * done / total));
  };
}

}  // namespace bitfetch
