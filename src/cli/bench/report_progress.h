// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_CLI_BENCH_REPORT_PROGRESS_H_
#define BITFETCH_CLI_BENCH_REPORT_PROGRESS_H_

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

#include "cli/progress_line.h"
#include "machine/clock.h"

namespace bitfetch {

// How long something still takes, of which is known how long it takes on another machine: that
// first, and more and more what this machine's pace says.
class TimeLeft {
 public:
  explicit TimeLeft(double expected_seconds)
      : expected_(expected_seconds), end_(expected_seconds) {}

  // After so many seconds this share of it is done.
  void OnShare(double seconds, double share) {
    const double pace = (kTrust * expected_ + seconds) / (kTrust + share);
    end_ = seconds + pace * (1 - share);
  }
  // After so many seconds; between two shares it goes down with the clock.
  double At(double seconds) const { return std::max(end_ - seconds, 0.0); }

 private:
  static constexpr double kTrust = 0.1;  // the share of which the pace counts as known beforehand

  double expected_;
  double end_;
};

// How far a report is, on stderr: a line that counts down where that is a terminal, and a line for
// each part where it is not. Gone in the end.
class ReportProgress {
 public:
  explicit ReportProgress(double expected_seconds) : left_(expected_seconds) {}

  void Begin(const std::string& part);
  void OnShare(double share);  // of all parts, done

 private:
  void Draw();  // under mutex_
  void DrawEverySecond(const std::stop_token& stop);

  std::mutex mutex_;
  std::string part_;
  double share_ = 0;
  TimeLeft left_;
  Stopwatch since_;
  ProgressLine line_{std::chrono::milliseconds(0)};
  std::condition_variable_any never_;
  std::jthread drawing_;  // where stderr is a terminal; ends before the rest
};

}  // namespace bitfetch

#endif  // BITFETCH_CLI_BENCH_REPORT_PROGRESS_H_
