// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_CLI_CUT_FILE_H_
#define BITFETCH_CLI_CUT_FILE_H_

namespace bitfetch {

// A mapped file that somebody cuts, or whose disk fails, raises SIGBUS when it is read: from now on
// that ends the program with a line that names the file. Any other SIGBUS does what it always does.
void HandleCutFiles();

}  // namespace bitfetch

#endif  // BITFETCH_CLI_CUT_FILE_H_
