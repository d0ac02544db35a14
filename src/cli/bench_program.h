// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_CLI_BENCH_PROGRAM_H_
#define BITFETCH_CLI_BENCH_PROGRAM_H_

#include "base/error.h"

namespace bitfetch {

inline constexpr const char* kBenchSummary =
    "measure attention, memory, or whole models; or all of it, for a report";

// Goes on as the program `bitfetch-bench` that lies beside this one, with the same arguments. The
// benchmarks are a program of their own so that whoever only runs models need not build them.
// Returns only if that cannot be, and says why.
Error RunBenchProgram(char** argv);

}  // namespace bitfetch

#endif  // BITFETCH_CLI_BENCH_PROGRAM_H_
