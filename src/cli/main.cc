// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <exception>
#include <new>

#include "cli/commands.h"
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

int Main(int argc, char** argv) {
  HoldStandardStreams();
  std::signal(SIGPIPE, SIG_IGN);
  std::set_terminate(OnTerminate);
  HandleInterrupts();
  HandleCutFiles();

  Command program("bitfetch",
                  {.usage = "COMMAND [options]",
                   .summary = "BitNet b1.58 language models on ordinary CPUs, with a KV cache that "
                              "is fetched before it is\nneeded.",
                   .more = R"(Try first:
  bitfetch generate -m models/tiny.gguf -p "In the beginning" -n 100
  bitfetch info --machine
  bitfetch bench attention

bitfetch COMMAND --help has the options of each command, and an example. What was asked for goes to
stdout, all else to stderr. Exit codes: 0; 1 after an error; 2 for bad usage; 130 after Ctrl-C,
143 after SIGTERM, 129 after SIGHUP.)"});
  AddGenerate(program);
  AddChat(program);
  AddInfo(program);
  AddTune(program);
  AddTokenize(program);
  AddDetokenize(program);
  AddLogits(program);
  AddPerplexity(program);
  AddSynth(program);
  AddBench(program);
  return program.Main(argc, argv);
}

}  // namespace
}  // namespace bitfetch

int main(int argc, char** argv) {
  // Caught here, and not only in OnTerminate, so that half-written files are removed.
  try {
    return bitfetch::Main(argc, argv);
  } catch (const std::bad_alloc&) {
    bitfetch::SayError("out of memory");
    return bitfetch::kExitError;
  }
}
