// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_BENCH_ATTENTION_BENCH_H_
#define BITFETCH_BENCH_ATTENTION_BENCH_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "base/error.h"
#include "bench/attention_places.h"
#include "bench/spread.h"
#include "prefetch/setting.h"

namespace bitfetch {

// Decode attention without a model: a row for each place and setting. A setting may be given twice:
// how far its rows differ is the noise.
struct AttentionBenchOptions {
  AttentionPlaces places;
  std::vector<PrefetchSetting> prefetch = {PrefetchSetting{PrefetchSetting::Mode::kOff},
                                           PrefetchSetting{}};
  int repeats = 15;
};

struct AttentionBenchRow {
  AttentionPlace place;
  PrefetchSetting prefetch;
  PrefetchPlan plan;               // what the setting came to
  Spread gb_per_s;                 // KV bytes read by attention
  Spread read_gb_per_s;            // the best streaming read of the same threads and pages
  Spread fraction;                 // of each pair, the first over the second
  std::optional<Spread> over_off;  // the same over the first row that is off, where there is one
  int repeats;
};

// Rows that differ in `prefetch` only are measured in turn, pass by pass, beside the streaming
// read. KV is cold. `on_row` hears of rows as they are done, with how many there are in all;
// an error of its own ends the benchmark. Errors: shapes no kernel takes, no memory.
Result<std::vector<AttentionBenchRow>> BenchAttention(
    const AttentionBenchOptions& options,
    const std::function<Status(const AttentionBenchRow&, int64_t done, int64_t total)>& on_row);

}  // namespace bitfetch

#endif  // BITFETCH_BENCH_ATTENTION_BENCH_H_
