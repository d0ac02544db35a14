// SPDX-License-Identifier: Apache-2.0
#include "cli/bench/commands.h"
#include "cli/other_programs.h"

namespace bitfetch {

void AddBench(Command& program) {
  Command& bench = program.Add(
      "bench",
      {.usage =
           "attention | batch | cache | decode | distance | draft | memory | misses | prefill | "
           "report | serve [options]",
       .summary = std::string(FindOtherProgram("bench")->summary),
       .more = R"(examples:
  bitfetch bench attention
  bitfetch bench batch -m models/tiny.gguf --sequences 1,8
  bitfetch bench cache -m models/tiny.gguf --n-kv 128,512
  bitfetch bench decode -m models/tiny.gguf --n-kv 0,512
  bitfetch bench distance
  bitfetch bench draft -m models/tiny.gguf -f README.md -n 200
  bitfetch bench memory --json memory.json
  bitfetch bench report --out report --quick)"});
  AddBenchAttention(bench);
  AddBenchBatch(bench);
  AddBenchCache(bench);
  AddBenchDecode(bench);
  AddBenchDistance(bench);
  AddBenchDraft(bench);
  AddBenchMemory(bench);
  AddBenchMisses(bench);
  AddBenchPrefill(bench);
  AddBenchReport(bench);
  AddBenchServe(bench);
}

}  // namespace bitfetch
