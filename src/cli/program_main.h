// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_CLI_PROGRAM_MAIN_H_
#define BITFETCH_CLI_PROGRAM_MAIN_H_

namespace bitfetch {

// What main() of every program does: `body` runs after signals, closed streams and memory that runs
// out were seen to, and gives the exit code.
int ProgramMain(int argc, char** argv, int (*body)(int argc, char** argv));

}  // namespace bitfetch

#endif  // BITFETCH_CLI_PROGRAM_MAIN_H_
