// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_BENCH_BATCH_BENCH_H_
#define BITFETCH_BENCH_BATCH_BENCH_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "base/error.h"
#include "bench/attention_places.h"
#include "bench/model_places.h"
#include "bench/spread.h"
#include "prefetch/setting.h"

namespace bitfetch {

// Steps of many sequences: a row for each combination of the lists. In a step each sequence of
// `places.n_kv` tokens takes `rows` more, in one Engine::Run. One row leads to the likeliest next
// token of each, in one Engine::Logits; several to all logits of each, as a check of drafted tokens
// wants them. Then all are truncated to what they were.
struct BatchBenchOptions {
  ModelPlaces places;
  std::vector<int64_t> sequences = {1, 2, 4, 8, 16};
  std::vector<int64_t> shared = {0};  // of their n_kv tokens, the first that all have in common
  std::vector<int64_t> rows = {1};
  std::vector<PrefetchSetting> prefetch = {PrefetchSetting{}};
  int repeats = 5;
};

struct BatchBenchRow {
  AttentionPlace place;
  PrefetchSetting prefetch;
  PrefetchPlan plan;  // what that came to
  int64_t sequences;
  int64_t shared;
  int64_t rows;
  Spread step_ms;
  Spread tokens_per_s;  // of all sequences together
  Spread over_one;      // the same over a step of one sequence and one row, right before it
  // Rows a second of a prompt's piece of 64 behind n_kv tokens, with all their logits.
  Spread pass64_rows_per_s;
  // The tokens/s over what they are bound by: the smaller of those 64 rows' and, for each row of
  // the step, that one sequence's.
  Spread of_bound;
  std::optional<Spread> over_own;  // the tokens/s over those with nothing shared, where measured
  int64_t bytes_per_token;         // that were read: weights, head, KV
  Spread gb_per_s;
  Spread read_gb_per_s;  // the best streaming read, right before each step
  Spread fraction;       // of each pair, the first over the second
  int repeats;
};

// Rows of one place are measured in turn, step by step, after a turn that does not count. `on_row`
// hears of them as they are done, with how many there are in all; an error of its own ends the
// benchmark. Errors: more shared tokens than a sequence has, a model that cannot be opened, no
// memory.
Status BenchBatch(
    const BatchBenchOptions& options,
    const std::function<Status(const BatchBenchRow&, int64_t done, int64_t total)>& on_row);

}  // namespace bitfetch

#endif  // BITFETCH_BENCH_BATCH_BENCH_H_
