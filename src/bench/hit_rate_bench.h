// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_BENCH_HIT_RATE_BENCH_H_
#define BITFETCH_BENCH_HIT_RATE_BENCH_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/error.h"

namespace bitfetch {

// What share of the prompts of many conversations (bench/conversations.h) need not be computed, by
// how much memory and disk there is: a row for each combination of the lists. The pool and the
// store that a server has decide what they keep; nothing is computed, and blocks are tiny, so that
// sizes are in tokens.
struct HitRateBenchOptions {
  int conversations = 200;
  std::vector<int64_t> ram_tokens = {16'384, 65'536};       // at least Conversations::kMaxTokens
  std::vector<int64_t> disk_tokens = {0, 65'536, 262'144};  // 0: none
  std::string cache_dir = {};  // where a folder for them is made; empty: among temporary files
};

struct HitRateBenchRow {
  int64_t ram_tokens;
  int64_t disk_tokens;
  int64_t turns;
  int64_t prompt_tokens = 0;  // of all turns
  int64_t from_ram = 0;       // of them
  int64_t from_disk = 0;
};

// Rows come as they are done; an error of `on_row` ends the benchmark. Errors: a folder that cannot
// be made or filled, no memory.
Status BenchHitRate(
    const HitRateBenchOptions& options,
    const std::function<Status(const HitRateBenchRow&, int64_t done, int64_t total)>& on_row);

}  // namespace bitfetch

#endif  // BITFETCH_BENCH_HIT_RATE_BENCH_H_
