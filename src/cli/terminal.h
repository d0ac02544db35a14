// SPDX-License-Identifier: Apache-2.0
// The terminal on stdin, for an editor of lines.
#ifndef BITFETCH_CLI_TERMINAL_H_
#define BITFETCH_CLI_TERMINAL_H_

#include <optional>

namespace bitfetch {

// Sets the terminal so that keys come one at a time, however many there are, and are not echoed.
// Returns a descriptor that writes to it; none where stdin is no terminal. Ctrl-Z gives it back
// until the program goes on. Called once.
std::optional<int> TakeTerminal();

// From now on pastes are marked: ESC[200~ before and ESC[201~ after. For a terminal that has been
// taken and obeys such sequences.
void MarkPastes();

// As it was before TakeTerminal(). Also for a signal handler, and where nothing was taken.
void RestoreTerminal();

// Whether what is on the screen has to be drawn again, for a new size or after Ctrl-Z, since the
// last call.
bool TerminalChanged();

}  // namespace bitfetch

#endif  // BITFETCH_CLI_TERMINAL_H_
