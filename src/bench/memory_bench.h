// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_BENCH_MEMORY_BENCH_H_
#define BITFETCH_BENCH_MEMORY_BENCH_H_

#include <cstdint>
#include <functional>
#include <vector>

#include "base/error.h"
#include "base/memory.h"
#include "bench/spread.h"
#include "kv/block_pool.h"

namespace bitfetch {

// How fast this machine reads cold memory, without any arithmetic: what attention is measured
// against. Every combination of the lists is read plainly, and prefetched over 1, 2, 4 and 8
// streams: a row each.
struct MemoryBenchOptions {
  std::vector<int> threads;
  std::vector<BlockPlacement> placements = {BlockPlacement::kContiguous};  // of 8 KiB segments
  std::vector<PageSize> pages = {PageSize::kHuge};
  int repeats = 15;
};

struct MemoryBenchRow {
  int threads;
  BlockPlacement placement;
  PageSize pages;
  int streams;             // 0: plain loads
  int64_t distance_bytes;  // 0 for plain loads
  Spread gb_per_s;         // with the best width of a load
  Spread read_gb_per_s;    // the best way to read in address order, in the same pass
  Spread fraction;         // of each pair, the first over the second
  int repeats;
};

// Rows of the same threads and pages are measured in turn, pass by pass. `on_row` hears of rows as
// they are done, with how many there are in all; an error of its own ends the benchmark. Errors: no
// memory, threads that the system refuses.
Result<std::vector<MemoryBenchRow>> BenchMemory(
    const MemoryBenchOptions& options,
    const std::function<Status(const MemoryBenchRow&, int64_t done, int64_t total)>& on_row);

}  // namespace bitfetch

#endif  // BITFETCH_BENCH_MEMORY_BENCH_H_
