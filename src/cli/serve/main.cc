// SPDX-License-Identifier: Apache-2.0
#include "cli/program_main.h"
#include "cli/serve/serve.h"

namespace bitfetch {
namespace {

// `bitfetch serve` as `bitfetch` starts it: the same words, and the same arguments.
int Run(int argc, char** argv) {
  Command program("bitfetch", {.usage = "serve -m MODEL [options]",
                               .summary = "the server of bitfetch, a program of its own",
                               .more = "bitfetch serve --help has the options, and an example."});
  AddServe(program);
  return program.Main(argc, argv);
}

}  // namespace
}  // namespace bitfetch

int main(int argc, char** argv) { return bitfetch::ProgramMain(argc, argv, bitfetch::Run); }
