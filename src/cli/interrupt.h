// SPDX-License-Identifier: Apache-2.0
// Ctrl-C.
#ifndef BITFETCH_CLI_INTERRUPT_H_
#define BITFETCH_CLI_INTERRUPT_H_

#include <atomic>

namespace bitfetch {

// From now on Ctrl-C ends the program with kExitInterrupted. Called once, before any thread starts.
void HandleInterrupts();

// From now on the first Ctrl-C only sets Interrupted(), for a command that ends in its own way; the
// second one ends the program.
void CatchInterrupts();

// Whether there was a Ctrl-C since CatchInterrupts() or ForgetInterrupt().
const std::atomic<bool>& Interrupted();
void ForgetInterrupt();

// Waits until `fd` can be read; false: there was a Ctrl-C before.
bool WaitForInput(int fd);

}  // namespace bitfetch

#endif  // BITFETCH_CLI_INTERRUPT_H_
