// SPDX-License-Identifier: Apache-2.0
#include "cli/convert/commands.h"
#include "cli/program_main.h"

namespace bitfetch {
namespace {

// `bitfetch convert` and `bitfetch synth` as `bitfetch` starts them: the same words, and the same
// arguments.
int Run(int argc, char** argv) {
  Command program("bitfetch", {.usage = "convert | synth [options]",
                               .summary = "what writes models for bitfetch, a program of its own",
                               .more = "bitfetch convert --help has the options, and an example."});
  AddSynth(program);
  AddConvert(program);
  return program.Main(argc, argv);
}

}  // namespace
}  // namespace bitfetch

int main(int argc, char** argv) { return bitfetch::ProgramMain(argc, argv, bitfetch::Run); }
