// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_BENCH_MODEL_BENCH_H_
#define BITFETCH_BENCH_MODEL_BENCH_H_

#include <cstdint>
#include <functional>
#include <vector>

#include "base/error.h"
#include "bench/attention_places.h"
#include "bench/model_places.h"
#include "bench/spread.h"
#include "model/stage_profile.h"
#include "prefetch/setting.h"

namespace bitfetch {

enum class ModelBench {
  kDecode,   // one token after the other, each the likeliest
  kPrefill,  // a prompt at once, and the logits of its last token
};

// Whole tokens of a model: a row for each combination of the lists. What differs in prefetching
// only is measured in turn. A setting may be given twice: how far its rows differ is the noise.
struct ModelBenchOptions {
  ModelBench bench = ModelBench::kDecode;
  ModelPlaces places;
  std::vector<int64_t> tokens = {32};  // that are decoded, or a prompt has
  std::vector<PrefetchSetting> prefetch = {PrefetchSetting{}};
  std::vector<bool> ahead = {true};
  int repeats = 5;
};

struct ModelBenchRow {
  AttentionPlace place;
  PrefetchSetting prefetch;
  bool ahead;
  PrefetchPlan plan;  // what `prefetch` came to
  int64_t tokens;
  Spread tokens_per_s;
  Spread over_first;        // the same over the first row of those measured in turn
  int64_t bytes_per_token;  // that were read: weights, head, KV
  Spread gb_per_s;
  Spread read_gb_per_s;  // the best streaming read, in turn with the tokens
  Spread fraction;       // of each pair, the first over the second
  StageProfile profile;  // of all its tokens
  int repeats;
};

// `on_row` hears of rows as they are done, with how many there are in all; an error of its own ends
// the benchmark. Errors: a model that cannot be opened, no memory.
Status BenchModel(
    const ModelBenchOptions& options,
    const std::function<Status(const ModelBenchRow&, int64_t done, int64_t total)>& on_row);

}  // namespace bitfetch

#endif  // BITFETCH_BENCH_MODEL_BENCH_H_
