// SPDX-License-Identifier: Apache-2.0
#include "cli/bench/commands.h"
#include "cli/program_main.h"

namespace bitfetch {
namespace {

// `bitfetch bench` as `bitfetch` starts it: the same words, and the same arguments.
int Run(int argc, char** argv) {
  Command program(
      "bitfetch",
      {.usage = "bench COMMAND [options]",
       .summary = "the benchmarks of bitfetch, a program of their own",
       .more = "bitfetch bench COMMAND --help has the options of each, and an example."});
  AddBench(program);
  return program.Main(argc, argv);
}

}  // namespace
}  // namespace bitfetch

int main(int argc, char** argv) { return bitfetch::ProgramMain(argc, argv, bitfetch::Run); }
