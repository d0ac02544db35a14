// SPDX-License-Identifier: Apache-2.0
#include "bench/draft_bench.h"

#include <algorithm>
#include <memory>
#include <span>
#include <utility>

#include "bench/engine_for_bench.h"
#include "engine/continuation.h"
#include "engine/read_tokenizer.h"
#include "machine/clock.h"

namespace bitfetch {
namespace {

// A setting, and what it gave.
struct DraftSeries {
  int draft;
  std::vector<double> tokens_per_s = {};
  std::vector<double> drafted = {};
  std::vector<double> accepted = {};
};

Result<std::vector<int>> TokensOf(const DraftBenchOptions& options) {
  BITFETCH_ASSIGN_OR_RETURN(const GgufReader file, GgufReader::Open(options.places.model));
  BITFETCH_ASSIGN_OR_RETURN(const Tokenizer tokenizer, ReadTokenizer(file));
  BITFETCH_ASSIGN_OR_RETURN(std::vector<int> tokens,
                            tokenizer.Encode(options.text, tokenizer.add_bos()));
  if (std::ssize(tokens) > options.tokens) return tokens;
  return Fail("the text has {} tokens: to generate the last {}, it must have more", tokens.size(),
              options.tokens);
}

Status Replay(Engine& engine, Sequence& sequence, std::span<const int> text, DraftSeries& series) {
  const int64_t begin = sequence.length();
  Continuation continuation(engine, sequence, series.draft,
                            [](std::span<const int>) { return LogitsWanted{.top = 1}; });
  const Stopwatch time;
  for (const int token : text) {
    const int64_t left = std::ssize(text) - 1 - (sequence.length() - begin);
    BITFETCH_RETURN_IF_ERROR(continuation.Append(token, left));
    BITFETCH_RETURN_IF_ERROR(continuation.Logits());
  }
  const double seconds = time.Seconds();
  const DraftCounts& counts = continuation.counts();
  const auto passes = static_cast<double>(counts.passes);
  series.tokens_per_s.push_back(static_cast<double>(text.size()) / seconds);
  series.drafted.push_back(static_cast<double>(counts.drafted) / passes);
  series.accepted.push_back(static_cast<double>(counts.stood) / passes);
  return {};
}

Result<std::vector<DraftSeries>> MeasureDrafts(const DraftBenchOptions& options, Engine& engine,
                                               std::span<const int> text) {
  BITFETCH_ASSIGN_OR_RETURN(Sequence sequence, engine.NewSequence());
  const std::span<const int> before = text.first(text.size() - options.tokens);
  BITFETCH_RETURN_IF_ERROR(EngineForBench(engine).Fill(sequence, before));
  std::vector<DraftSeries> unmeasured;
  for (const int draft : options.draft) unmeasured.push_back({draft});
  std::vector<DraftSeries> all;
  for (int repeat = -1; repeat < options.repeats; ++repeat) {
    if (repeat <= 0) all = unmeasured;
    for (DraftSeries& series : all) {
      BITFETCH_RETURN_IF_ERROR(Replay(engine, sequence, text.last(options.tokens), series));
      sequence.Truncate(std::ssize(before));
    }
  }
  return all;
}

}  // namespace

Status BenchDraft(
    const DraftBenchOptions& options,
    const std::function<Status(const DraftBenchRow&, int64_t done, int64_t total)>& on_row) {
  BITFETCH_ASSIGN_OR_RETURN(const std::vector<int> text, TokensOf(options));
  ModelPlaces places = options.places;
  places.n_kv = {std::ssize(text) - options.tokens};
  const int64_t total = places.count() * std::ssize(options.draft);
  int64_t done = 0;
  return ForEachPlace(places, std::ssize(text), 0,
                      [&](const AttentionPlace& place, const std::shared_ptr<Engine>& engine,
                          StreamRead&) -> Status {
                        BITFETCH_ASSIGN_OR_RETURN(const std::vector<DraftSeries> all,
                                                  MeasureDrafts(options, *engine, text));
                        const auto off = std::ranges::find(all, kDraftOff, &DraftSeries::draft);
                        for (const DraftSeries& series : all) {
                          DraftBenchRow row = {.place = place,
                                               .plan = EngineForBench(*engine).prefetch_plan(),
                                               .draft = series.draft,
                                               .tokens = options.tokens,
                                               .tokens_per_s = SpreadOf(series.tokens_per_s),
                                               .over_off = {},
                                               .drafted = SpreadOf(series.drafted),
                                               .accepted = SpreadOf(series.accepted),
                                               .repeats = options.repeats};
                          if (off != all.end()) {
                            row.over_off = SpreadOf(Ratios(series.tokens_per_s, off->tokens_per_s));
                          }
                          BITFETCH_RETURN_IF_ERROR(on_row(row, ++done, total));
                        }
                        return {};
                      });
}

}  // namespace bitfetch
