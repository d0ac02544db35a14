// SPDX-License-Identifier: Apache-2.0
#include "cli/commands.h"

namespace bitfetch {

void AddBench(Command& program) {
  Command& bench = program.Add("bench", {.usage = "attention | distance | memory [options]",
                                         .summary = "measure: attention, distance, memory",
                                         .more = R"(examples:
  bitfetch bench attention
  bitfetch bench distance
  bitfetch bench memory --json memory.json)"});
  AddBenchAttention(bench);
  AddBenchDistance(bench);
  AddBenchMemory(bench);
}

}  // namespace bitfetch
