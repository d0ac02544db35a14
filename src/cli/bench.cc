// SPDX-License-Identifier: Apache-2.0
#include "cli/commands.h"

namespace bitfetch {

void AddBench(Command& program) {
  Command& bench =
      program.Add("bench", {.usage = "attention | decode | distance | memory | misses | prefill [options]",
                            .summary = "measure: attention, distance, memory, misses, whole tokens",
                            .more = R"(examples:
  bitfetch bench attention
  bitfetch bench decode -m models/tiny.gguf --n-kv 0,512
  bitfetch bench distance
  bitfetch bench memory --json memory.json)"});
  AddBenchAttention(bench);
  AddBenchDecode(bench);
  AddBenchDistance(bench);
  AddBenchMemory(bench);
  AddBenchMisses(bench);
  AddBenchPrefill(bench);
}

}  // namespace bitfetch
