// SPDX-License-Identifier: Apache-2.0
#include "cli/program_main.h"

#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <exception>
#include <new>

#include "cli/cut_file.h"
#include "cli/interrupt.h"
#include "cli/output.h"

namespace bitfetch {
namespace {

// Where stdin, stdout or stderr is closed, the next file that is opened would take its place. What
// stands there instead fails as the closed one does.
void HoldStandardStreams() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (fcntl(fd, F_GETFD) != -1) continue;
    if (open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) < 0) _exit(kExitError);
  }
}

// Memory can run out on any thread; nothing else throws.
[[noreturn]] void OnTerminate() {
  const char* message = "bitfetch failed in a way that it should not: please report it";
  if (const std::exception_ptr exception = std::current_exception()) {
    try {
      std::rethrow_exception(exception);
    } catch (const std::bad_alloc&) {
      message = "out of memory";
    } catch (...) {
    }
  }
  SayError(message);
  EndAtOnce(kExitError);
}

}  // namespace

int ProgramMain(int argc, char** argv, int (*body)(int argc, char** argv)) {
  HoldStandardStreams();
  std::signal(SIGPIPE, SIG_IGN);
  std::set_terminate(OnTerminate);
  // Caught here, and not only in OnTerminate, so that half-written files are removed.
  try {
    HandleInterrupts();
    HandleCutFiles();
    return body(argc, argv);
  } catch (const std::bad_alloc&) {
    SayError("out of memory");
    return kExitError;
  }
}

}  // namespace bitfetch
