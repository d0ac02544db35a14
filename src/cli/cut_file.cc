// SPDX-License-Identifier: Apache-2.0
#include "cli/cut_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <climits>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "cli/interrupt.h"
#include "cli/output.h"

namespace bitfetch {
namespace {

// What follows runs in a signal handler: nothing that allocates, and no more than system calls.

// A hexadecimal number at the front of `line`, which is taken off.
uintptr_t TakeNumber(std::string_view* line) {
  uintptr_t number = 0;
  for (; !line->empty(); line->remove_prefix(1)) {
    const char c = line->front();
    const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
    if (digit < 0) break;
    number = number << 4 | static_cast<uintptr_t>(digit);
  }
  return number;
}

// Of a line of /proc/self/maps, "BEGIN-END r--p ... PATH": the path, if a file is mapped there for
// reading and `address` lies in it; otherwise nothing.
std::string_view FileAt(uintptr_t address, std::string_view line) {
  const uintptr_t begin = TakeNumber(&line);
  if (!line.starts_with('-')) return {};
  line.remove_prefix(1);
  const uintptr_t end = TakeNumber(&line);
  if (address < begin || address >= end || !line.starts_with(" r--")) return {};
  const size_t path = line.find('/');
  return path == std::string_view::npos ? std::string_view() : line.substr(path);
}

// The mapped file that `address` lies in. It points into `buffer`.
std::string_view FindFile(uintptr_t address, char (&buffer)[PATH_MAX + 256]) {
  const int maps = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
  size_t held = 0;
  for (ssize_t got; (got = read(maps, buffer + held, sizeof buffer - held)) > 0;) {
    std::string_view text(buffer, held + static_cast<size_t>(got));
    for (size_t end; (end = text.find('\n')) != std::string_view::npos;
         text.remove_prefix(end + 1)) {
      const std::string_view file = FileAt(address, text.substr(0, end));
      if (!file.empty()) return file;
    }
    held = text.size();
    std::memmove(buffer, text.data(), held);
  }
  return {};
}

void OnBusError(int number, siginfo_t* info, void*) {
  char buffer[PATH_MAX + 256];
  const std::string_view file = FindFile(reinterpret_cast<uintptr_t>(info->si_addr), buffer);
  if (info->si_code <= 0 || file.empty()) EndBySignal(number);
  static std::atomic_flag said;
  while (said.test_and_set()) pause();  // another thread has met it, and ends the program
  Say("error: ");
  Say(file);
  Say(": the file was cut (or could not be read) while it was in use; --no-mmap reads a model into "
      "memory first\n");
  EndAtOnce(kExitError);
}

}  // namespace

void HandleCutFiles() {
  struct sigaction action = {};
  action.sa_sigaction = OnBusError;
  action.sa_flags = SA_SIGINFO;
  sigaction(SIGBUS, &action, nullptr);
}

}  // namespace bitfetch
