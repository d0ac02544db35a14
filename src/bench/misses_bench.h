// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_BENCH_MISSES_BENCH_H_
#define BITFETCH_BENCH_MISSES_BENCH_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "bench/attention_places.h"
#include "bench/load_timer.h"
#include "bench/spread.h"
#include "prefetch/setting.h"

namespace bitfetch {

// What attention waits for, with each setting: docs/misses.md. A setting may be given twice: how
// far its rows differ is the noise.
struct MissesBenchOptions {
  AttentionPlaces places;
  std::vector<PrefetchSetting> prefetch = {PrefetchSetting{PrefetchSetting::Mode::kOff},
                                           PrefetchSetting{}};
  int repeats = 15;
};

// First loads of lines that were timed, as docs/misses.md tells.
struct TouchShares {
  struct Bin {
    double from_ns;
    double to_ns;  // infinite in the last
    int64_t touches;
  };
  LoadTimes times;
  int64_t touches = 0;
  double in_chunks = 0;             // of which one line was timed
  std::vector<double> level_share;  // of the touches, for each of times.levels
  // Of all touches; the range is that of the repeats.
  Spread dram_share;  // the last of these
  Spread late_share;  // these, and those before which a load was still under way so long
  // The first row's dram_share that is off over this one's, if neither is 0; the range is where it
  // lies with 95 % for counts so small.
  std::optional<Spread> fewer;
  std::vector<Bin> histogram;  // ascending
  Spread cost;                 // time with the sampling over time without, less 1
};

struct CountedEvent {
  std::string name;
  std::optional<double> per_kv_byte;  // none: this CPU or system does not count it
};

struct MissesBenchRow {
  AttentionPlace place;
  PrefetchSetting prefetch;
  PrefetchPlan plan;                          // what the setting came to
  Result<TouchShares> touches;                // or why there are none
  Result<std::vector<CountedEvent>> counted;  // the same, of hardware's counters
  int repeats;
};

// Rows that differ in `prefetch` only are measured in turn. KV is cold. `on_row` hears of rows as
// they are done, with how many there are in all; an error of its own ends the benchmark. Errors:
// shapes no kernel takes, no memory. Where nothing can be measured, rows say why.
Status BenchMisses(
    const MissesBenchOptions& options,
    const std::function<Status(const MissesBenchRow&, int64_t done, int64_t total)>& on_row);

}  // namespace bitfetch

#endif  // BITFETCH_BENCH_MISSES_BENCH_H_
