// SPDX-License-Identifier: Apache-2.0
// What a stage of a forward pass pays for using all threads: a fork and a join without work, and
// with what a stage has.
#include <benchmark/benchmark.h>

#include "base/thread_pool.h"
#include "machine/topology.h"

namespace bitfetch {
namespace {

void BM_Run(benchmark::State& state) {
  const auto pool = ThreadPool::Create(static_cast<int>(state.range(0))).value();
  for (auto _ : state) pool->Run([](int thread) { benchmark::DoNotOptimize(thread); });
}

// Pieces handed out one after the other, as many as a product of one token has.
void BM_ParallelFor(benchmark::State& state) {
  const auto pool = ThreadPool::Create(static_cast<int>(state.range(0))).value();
  const int64_t pieces = 3 * state.range(0);
  for (auto _ : state) {
    pool->ParallelFor(pieces, [](int64_t piece, int) { benchmark::DoNotOptimize(piece); });
  }
}

void Threads(benchmark::internal::Benchmark* benchmark) {
  const int most = ReadTopology().threads;
  for (int threads = 1; threads < most; threads *= 2) benchmark->Arg(threads);
  benchmark->Arg(most);
}

BENCHMARK(BM_Run)->Apply(Threads)->UseRealTime();
BENCHMARK(BM_ParallelFor)->Apply(Threads)->UseRealTime();

}  // namespace
}  // namespace bitfetch
