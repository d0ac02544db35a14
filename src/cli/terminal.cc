// SPDX-License-Identifier: Apache-2.0
#include "cli/terminal.h"

#include <fcntl.h>
#include <termios.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <string_view>
#include <tuple>

namespace bitfetch {
namespace {

termios before;
int screen = -1;
bool marks_pastes = false;
std::atomic<bool> taken{false};
std::atomic<bool> changed{false};

void Write(std::string_view text) { std::ignore = write(screen, text.data(), text.size()); }

void Take(const termios& mode) {
  tcsetattr(STDIN_FILENO, TCSADRAIN, &mode);
  if (marks_pastes) MarkPastes();
  taken = true;
}

void OnNewSize(int) { changed = true; }

// The default action stops the program here; what follows is done when it goes on.
void OnStop(int number) {
  const int saved = errno;
  termios mode;
  const bool was_taken = taken && tcgetattr(STDIN_FILENO, &mode) == 0;
  RestoreTerminal();
  std::signal(number, SIG_DFL);
  raise(number);
  sigset_t only;
  sigemptyset(&only);
  sigaddset(&only, number);
  pthread_sigmask(SIG_UNBLOCK, &only, nullptr);
  std::signal(number, OnStop);
  if (was_taken) Take(mode);
  changed = true;
  errno = saved;
}

}  // namespace

std::optional<int> TakeTerminal() {
  if (tcgetattr(STDIN_FILENO, &before) != 0) return std::nullopt;
  // stderr may be a file, and stdin may be open for reading only.
  screen = open("/proc/self/fd/0", O_WRONLY | O_NOCTTY | O_CLOEXEC);
  if (screen < 0) screen = dup(STDERR_FILENO);

  termios mode = before;
  mode.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO | IEXTEN);
  mode.c_iflag &= ~static_cast<tcflag_t>(ICRNL);  // a paste may hold both
  mode.c_cc[VMIN] = 1;
  mode.c_cc[VTIME] = 0;
  Take(mode);
  std::signal(SIGWINCH, OnNewSize);
  if (std::signal(SIGTSTP, OnStop) == SIG_IGN) std::signal(SIGTSTP, SIG_IGN);
  return screen;
}

void MarkPastes() {
  marks_pastes = true;
  Write("\x1b[?2004h");
}

void RestoreTerminal() {
  if (!taken.exchange(false)) return;
  if (marks_pastes) Write("\x1b[?2004l");
  tcsetattr(STDIN_FILENO, TCSANOW, &before);
}

bool TerminalChanged() { return changed.exchange(false); }

}  // namespace bitfetch
