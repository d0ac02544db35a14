// SPDX-License-Identifier: Apache-2.0
#include "cli/output.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <system_error>

#include "base/printable.h"

namespace bitfetch {
namespace {

bool nobody_reads = false;

// errno, or 0.
int WriteAll(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return errno;
    text.remove_prefix(static_cast<size_t>(written));
  }
  return 0;
}

}  // namespace

Status Print(std::string_view text) {
  const int error = WriteAll(STDOUT_FILENO, text);
  if (error == 0) return {};
  nobody_reads = error == EPIPE;
  return Fail("stdout: {}", std::generic_category().message(error));
}

Status PrintModelText(std::string_view text) {
  return StdoutIsTerminal() ? Print(WithoutControls(text)) : Print(text);
}

Result<int> Printed(std::string_view text) {
  BITFETCH_RETURN_IF_ERROR(Print(text));
  return kExitOk;
}

bool NobodyReads() { return nobody_reads; }

bool StdoutIsTerminal() { return isatty(STDOUT_FILENO) == 1; }
bool StdoutIsStderr() {
  struct stat out, err;
  return fstat(STDOUT_FILENO, &out) == 0 && fstat(STDERR_FILENO, &err) == 0 &&
         out.st_dev == err.st_dev && out.st_ino == err.st_ino;
}
bool StderrIsTerminal() { return isatty(STDERR_FILENO) == 1; }

void Say(std::string_view text) { WriteAll(STDERR_FILENO, text); }

void SayError(std::string_view message) { Say(fmt::format("error: {}\n", OneLine(message))); }

}  // namespace bitfetch
