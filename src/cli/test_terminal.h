// SPDX-License-Identifier: Apache-2.0
// For tests: a terminal, and someone at it.
#ifndef BITFETCH_CLI_TEST_TERMINAL_H_
#define BITFETCH_CLI_TEST_TERMINAL_H_

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <pty.h>
#include <termios.h>
#include <unistd.h>

#include <cstdlib>
#include <functional>
#include <string>
#include <string_view>

namespace bitfetch {

class Terminal {
 public:
  Terminal() {
    char name[64];
    const winsize size = {24, 80, 0, 0};
    if (openpty(&master_, &held_, name, nullptr, &size) != 0) std::abort();
    for (const int fd : {master_, held_}) fcntl(fd, F_SETFD, FD_CLOEXEC);
    name_ = name;
  }
  ~Terminal() {
    close(held_);
    close(master_);
  }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  const std::string& name() const { return name_; }

  // For Program: stdin and stderr are this terminal, and Ctrl-C there is for the program.
  std::function<void()> AsStdinAndStderr() const {
    return [name = name_] {
      setsid();
      const int fd = open(name.c_str(), O_RDWR);
      dup2(fd, STDIN_FILENO);
      dup2(fd, STDERR_FILENO);
    };
  }

  void Type(std::string_view keys) {
    while (!keys.empty()) {
      const ssize_t typed = write(master_, keys.data(), keys.size());
      ASSERT_GT(typed, 0);
      keys.remove_prefix(static_cast<size_t>(typed));
      // What is shown has to be taken, or the program waits for that.
      while (More(0)) Look();
    }
  }

  // Waits until `text` is shown behind what an earlier call waited for; false after a minute.
  bool WaitFor(std::string_view text) {
    size_t at;
    while ((at = shown_.find(text, seen_)) == std::string::npos) {
      if (!More(60'000)) return false;
      Look();
    }
    seen_ = at + text.size();
    return true;
  }

  // All that was ever shown.
  std::string Shown() {
    while (More(0)) Look();
    return shown_;
  }

  termios Mode() const {
    termios mode;
    tcgetattr(held_, &mode);
    return mode;
  }

 private:
  bool More(int milliseconds) const {
    pollfd waiting = {master_, POLLIN, 0};
    return poll(&waiting, 1, milliseconds) > 0;
  }
  void Look() {
    char piece[4096];
    const ssize_t got = read(master_, piece, sizeof piece);
    if (got > 0) shown_.append(piece, static_cast<size_t>(got));
  }

  int master_ = -1;
  int held_ = -1;  // keeps what is written when nobody else has it open
  std::string name_;
  std::string shown_;
  size_t seen_ = 0;
};

}  // namespace bitfetch

#endif  // BITFETCH_CLI_TEST_TERMINAL_H_
