// SPDX-License-Identifier: Apache-2.0
#include "cli/interrupt.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdint>

#include "cli/output.h"

namespace bitfetch {
namespace {

static_assert(std::atomic<bool>::is_always_lock_free);  // else a signal handler may not touch it
std::atomic<bool> caught{false};
std::atomic<bool> interrupted{false};
// Counts interruptions, for poll(): without it, one that comes just before poll() begins to wait
// would go unnoticed.
int interruptions = -1;

void OnInterrupt(int) {
  if (!caught || interrupted.exchange(true)) _exit(kExitInterrupted);
  const int saved = errno;
  const uint64_t one = 1;
  if (write(interruptions, &one, sizeof one) < 0) {
    // Nobody waits then.
  }
  errno = saved;
}

}  // namespace

void HandleInterrupts() {
  interruptions = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  struct sigaction action = {};
  action.sa_handler = OnInterrupt;
  action.sa_flags = SA_RESTART;
  sigaction(SIGINT, &action, nullptr);
}

void CatchInterrupts() { caught = true; }

const std::atomic<bool>& Interrupted() { return interrupted; }

void ForgetInterrupt() {
  uint64_t count;
  if (read(interruptions, &count, sizeof count) < 0) {
    // There was none.
  }
  interrupted = false;
}

bool WaitForInput(int fd) {
  pollfd waiting[] = {{fd, POLLIN, 0}, {interruptions, POLLIN, 0}};
  while (!interrupted) {
    if (poll(waiting, 2, -1) < 0 && errno != EINTR) return true;  // read() will tell what is wrong
    if (interrupted) return false;
    if (waiting[0].revents != 0) return true;
  }
  return false;
}

}  // namespace bitfetch
