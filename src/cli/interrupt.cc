// SPDX-License-Identifier: Apache-2.0
#include "cli/interrupt.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <initializer_list>
#include <iterator>

#include "base/temporary_file.h"
#include "cli/progress_line.h"
#include "cli/terminal.h"

namespace bitfetch {
namespace {

static_assert(std::atomic<bool>::is_always_lock_free);  // else a signal handler may not touch it
static_assert(std::atomic<uint64_t>::is_always_lock_free);
std::atomic<uint64_t> caught{0};  // a bit for each signal
std::atomic<int> last{0};
std::atomic<bool> interrupted{false};
// Counts interruptions, for poll(): without it, one that comes just before poll() begins to wait
// would go unnoticed.
int interruptions = -1;

constexpr int kHarmless[] = {SIGCHLD, SIGCONT, SIGURG, SIGWINCH, SIGTSTP, SIGTTIN, SIGTTOU};

void OnSignal(int number) {
  if ((caught >> number & 1) == 0 || interrupted.exchange(true)) EndBySignal(number);
  last = number;
  const int saved = errno;
  const uint64_t one = 1;
  if (write(interruptions, &one, sizeof one) < 0) {
    // Nobody waits then.
  }
  errno = saved;
}

void CleanUp() {
  RemoveTemporaryFiles();
  ProgressLine::Erase();
  RestoreTerminal();
}

}  // namespace

void HandleInterrupts() {
  interruptions = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  struct sigaction action = {};
  action.sa_handler = OnSignal;
  action.sa_flags = SA_RESTART;
  for (int number = 1; number <= SIGRTMAX; ++number) {
    if (std::ranges::find(kHarmless, number) != std::end(kHarmless)) continue;
    // Fails for those that nobody may handle.
    struct sigaction before = {};
    sigaction(number, nullptr, &before);
    if (before.sa_handler == SIG_DFL) sigaction(number, &action, nullptr);
  }
  std::signal(SIGXFSZ, SIG_IGN);
}

void EndAtOnce(int code) {
  CleanUp();
  _exit(code);
}

void EndBySignal(int number) {
  CleanUp();
  if (number != SIGINT && number != SIGTERM && number != SIGHUP) {
    std::signal(number, SIG_DFL);
    sigset_t only;
    sigemptyset(&only);
    sigaddset(&only, number);
    raise(number);
    pthread_sigmask(SIG_UNBLOCK, &only, nullptr);
  }
  _exit(128 + number);  // the first process of a container does not die of a signal
}

void CatchInterrupts(std::initializer_list<int> numbers) {
  uint64_t bits = 0;
  for (const int number : numbers) bits |= uint64_t{1} << number;
  caught = bits;
}

const std::atomic<bool>& Interrupted() { return interrupted; }

void ForgetInterrupt() {
  uint64_t count;
  if (read(interruptions, &count, sizeof count) < 0) {
    // There was none.
  }
  interrupted = false;
}

bool WaitForInput(int fd, const std::function<void()>& on_signal) {
  pollfd waiting[] = {{fd, POLLIN, 0}, {interruptions, POLLIN, 0}};
  while (!interrupted) {
    const int ready = poll(waiting, 2, -1);
    if (interrupted) return false;
    if (ready >= 0 || errno != EINTR) return true;  // read() will tell what is wrong
    if (on_signal) on_signal();
  }
  return false;
}

int WaitForInterrupt() {
  pollfd waiting{interruptions, POLLIN, 0};
  while (!interrupted || last == 0) poll(&waiting, 1, -1);
  return last;
}

}  // namespace bitfetch
