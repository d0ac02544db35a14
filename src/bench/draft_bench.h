// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_BENCH_DRAFT_BENCH_H_
#define BITFETCH_BENCH_DRAFT_BENCH_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "bench/attention_places.h"
#include "bench/model_places.h"
#include "bench/spread.h"
#include "engine/drafter.h"
#include "prefetch/law.h"

namespace bitfetch {

// A text is generated again: of its tokens all but the last `tokens` stand in the cache, with
// synthetic keys and values, and those come one by one as if they had been drawn. All arithmetic is
// done, of each row that a greedy sampler would ask for, but what it leads to is not looked at: how
// many guesses stand is the text's doing, whatever the weights.
struct DraftBenchOptions {
  ModelPlaces places;  // n_kv follows from the text
  std::string text;
  int64_t tokens = 256;
  std::vector<int> draft = {kDraftOff, kDraftAuto};
  int repeats = 5;
};

struct DraftBenchRow {
  AttentionPlace place;
  PrefetchPlan plan;  // of attention, by the law
  int draft;
  int64_t tokens;
  Spread tokens_per_s;
  std::optional<Spread> over_off;  // the same over that of the first row without drafts
  Spread drafted;                  // tokens a pass
  Spread accepted;                 // of them, those that stood
  int repeats;
};

// Rows of one place are measured in turn, text by text, after a turn that does not count. `on_row`
// hears of them as they are done, with how many there are in all; an error of its own ends the
// benchmark. Errors: a text that is no longer than what is to be generated, a model that cannot be
// opened, no memory.
Status BenchDraft(
    const DraftBenchOptions& options,
    const std::function<Status(const DraftBenchRow&, int64_t done, int64_t total)>& on_row);

}  // namespace bitfetch

#endif  // BITFETCH_BENCH_DRAFT_BENCH_H_
