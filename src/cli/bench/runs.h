// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_CLI_BENCH_RUNS_H_
#define BITFETCH_CLI_BENCH_RUNS_H_

#include "bench/attention_bench.h"
#include "bench/batch_bench.h"
#include "bench/cache_bench.h"
#include "bench/distance_bench.h"
#include "bench/misses_bench.h"
#include "bench/model_bench.h"
#include "cli/bench/rows.h"

namespace bitfetch {

// The benchmarks that are commands of their own and parts of the report: each measures, and hands
// on its rows. Without threads it takes those that affinity and cgroup allow.
Status RunAttentionBench(const AttentionBenchOptions& options, BenchRows& rows);
Status RunBatchBench(const BatchBenchOptions& options, BenchRows& rows);
Status RunCacheBench(const CacheBenchOptions& options, BenchRows& rows);
Status RunDistanceBench(const DistanceBenchOptions& options, BenchRows& rows);
Status RunMissesBench(const MissesBenchOptions& options, BenchRows& rows);
Status RunModelBench(const ModelBenchOptions& options, bool profile, BenchRows& rows);

}  // namespace bitfetch

#endif  // BITFETCH_CLI_BENCH_RUNS_H_
