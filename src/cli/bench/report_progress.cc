// SPDX-License-Identifier: Apache-2.0
#include "cli/bench/report_progress.h"

#include <fmt/format.h>

#include <cstdint>

#include "cli/output.h"

namespace bitfetch {

void ReportProgress::Begin(const std::string& part) {
  if (!StderrIsTerminal()) return Say(part + "\n");
  const std::lock_guard lock(mutex_);
  part_ = part;
  Draw();
  if (!drawing_.joinable()) {
    drawing_ = std::jthread([this](const std::stop_token& stop) { DrawEverySecond(stop); });
  }
}

void ReportProgress::OnShare(double share) {
  const std::lock_guard lock(mutex_);
  share_ = share;
  left_.OnShare(since_.Seconds(), share);
  Draw();
}

void ReportProgress::Draw() {
  const auto left = static_cast<int64_t>(left_.At(since_.Seconds()));
  line_.Show(
      fmt::format("{}: {:.0f} %, about {}:{:02} left", part_, 100 * share_, left / 60, left % 60));
}

// A row may take a minute.
void ReportProgress::DrawEverySecond(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  const auto stopped = [&] { return stop.stop_requested(); };
  while (!never_.wait_for(lock, stop, std::chrono::seconds(1), stopped)) Draw();
}

}  // namespace bitfetch
