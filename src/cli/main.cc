// SPDX-License-Identifier: Apache-2.0
#include <string_view>

#include "cli/bench_program.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/program_main.h"

namespace bitfetch {
namespace {

int Run(int argc, char** argv) {
  if (argc > 1 && std::string_view(argv[1]) == "bench") {
    SayError(RunBenchProgram(argv).message);
    return kExitError;
  }
  Command program("bitfetch",
                  {.usage = "COMMAND [options]",
                   .summary = "BitNet b1.58 language models on ordinary CPUs, with a KV cache that "
                              "is fetched before it is\nneeded.",
                   .more = R"(Try first:
  bitfetch generate -m models/tiny.gguf -p "In the beginning" -n 100
  bitfetch info --machine
  bitfetch bench attention

bitfetch COMMAND --help has the options of each command, and an example. What was asked for goes to
stdout, all else to stderr. Exit codes: 0; 1 after an error; 2 for bad usage; 130 after Ctrl-C.)"});
  AddGenerate(program);
  AddChat(program);
  AddInfo(program);
  AddTune(program);
  AddTokenize(program);
  AddDetokenize(program);
  AddLogits(program);
  AddPerplexity(program);
  AddSynth(program);
  // For the list of commands alone: RunBenchProgram is what runs.
  program.Add("bench", {.usage = {}, .summary = kBenchSummary, .more = {}});
  return program.Main(argc, argv);
}

}  // namespace
}  // namespace bitfetch

int main(int argc, char** argv) { return bitfetch::ProgramMain(argc, argv, bitfetch::Run); }
