// SPDX-License-Identifier: Apache-2.0
// Ctrl-C, and the other signals that end the program.
#ifndef BITFETCH_CLI_INTERRUPT_H_
#define BITFETCH_CLI_INTERRUPT_H_

#include <atomic>
#include <csignal>
#include <functional>
#include <initializer_list>

namespace bitfetch {

// From now on every signal whose default action ends a program does it by EndBySignal. Those that
// the program was started to ignore (nohup, trap '' INT) stay ignored, and those that something
// else handles (a sanitizer) are left to it. A file that meets its limit of size (SIGXFSZ) is an
// error of write(). Called once, before any thread starts.
void HandleInterrupts();

// Ends the program where it is, on any thread, in a signal handler too: temporary files
// (base/temporary_file.h) are removed, and the terminal is left as it was found.
[[noreturn]] void EndAtOnce(int code);

// The same, with what the signal leaves: SIGINT, SIGTERM and SIGHUP the exit code 128 and the
// signal's number; of others the program dies.
[[noreturn]] void EndBySignal(int number);

// From now on the first of these signals (Ctrl-C is SIGINT) only sets Interrupted(), for a command
// that ends in its own way; the second one ends the program.
void CatchInterrupts(std::initializer_list<int> numbers = {SIGINT});

// Whether there was a Ctrl-C since CatchInterrupts() or ForgetInterrupt().
const std::atomic<bool>& Interrupted();
void ForgetInterrupt();

// Waits for one of those signals; which one it was.
int WaitForInterrupt();

// Waits until `fd` can be read; false: there was a Ctrl-C before. Calls `on_signal`, where given,
// after any other signal that was handled meanwhile.
bool WaitForInput(int fd, const std::function<void()>& on_signal = {});

}  // namespace bitfetch

#endif  // BITFETCH_CLI_INTERRUPT_H_
