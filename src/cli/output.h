// SPDX-License-Identifier: Apache-2.0
// stdout carries what a command was asked for, and nothing else; stderr all that is said meanwhile.
#ifndef BITFETCH_CLI_OUTPUT_H_
#define BITFETCH_CLI_OUTPUT_H_

#include <fmt/core.h>

#include <string_view>
#include <utility>

#include "base/error.h"

namespace bitfetch {

enum ExitCode {
  kExitOk = 0,
  kExitError = 1,
  kExitUsage = 2,
  kExitInterrupted = 130,
};

// Writes all of `text` to stdout, at once. Errors: what the system says, e.g. of a full disk;
// nobody reads any more.
Status Print(std::string_view text);

// The same of what a model writes: control characters are shown as \xNN where stdout is a terminal,
// which might obey them, and stay as they are elsewhere. `text` is whole characters.
Status PrintModelText(std::string_view text);

// The last thing a command does: the exit code, after printing `text`.
Result<int> Printed(std::string_view text);

// Whether Print met a pipe that nobody reads any more (`| head`): the program then ends without a
// word.
bool NobodyReads();

bool StdoutIsTerminal();
// Whether stdout and stderr go to the same place, as with `2>&1`.
bool StdoutIsStderr();
bool StderrIsTerminal();

// Writes to stderr; what cannot be written there is lost.
void Say(std::string_view text);

// `error: ...` as one line, whatever is in the message.
void SayError(std::string_view message);

}  // namespace bitfetch

#endif  // BITFETCH_CLI_OUTPUT_H_
