// SPDX-License-Identifier: Apache-2.0
// What the program of the benchmarks has: `bench`, and its commands, which add themselves. A file
// each.
#ifndef BITFETCH_CLI_BENCH_COMMANDS_H_
#define BITFETCH_CLI_BENCH_COMMANDS_H_

#include "cli/command.h"

namespace bitfetch {

void AddBench(Command& program);

void AddBenchAttention(Command& bench);
void AddBenchBatch(Command& bench);
void AddBenchCache(Command& bench);
void AddBenchDecode(Command& bench);
void AddBenchDistance(Command& bench);
void AddBenchDraft(Command& bench);
void AddBenchMemory(Command& bench);
void AddBenchMisses(Command& bench);
void AddBenchPrefill(Command& bench);
void AddBenchReport(Command& bench);
void AddBenchServe(Command& bench);

}  // namespace bitfetch

#endif  // BITFETCH_CLI_BENCH_COMMANDS_H_
