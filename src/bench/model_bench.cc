// SPDX-License-Identifier: Apache-2.0
#include "bench/model_bench.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "bench/engine_for_bench.h"
#include "engine/session.h"
#include "machine/stream_read.h"

namespace bitfetch {
namespace {

// One way to prefetch, and what it gave.
struct ModelSeries {
  PrefetchSetting prefetch;
  bool ahead;
  std::vector<double> tokens_per_s = {};
  std::vector<double> gb_per_s = {};
  std::vector<double> read_gb_per_s = {};
  StageProfile profile = {};
};

// Where the time went, and the streaming reads beside it, of one measurement.
struct Measured {
  StageProfile profile = {};
  std::vector<double> reads = {};
};

Result<int> Likeliest(Session& session) {
  BITFETCH_ASSIGN_OR_RETURN(const auto logits, session.Logits({.top = 1}));
  return std::ranges::max_element(logits, {}, &Logit::value)->id;
}

// A streaming read after each token, so that both meet the machine in the same mood.
Result<Measured> Decode(Session& session, int64_t tokens, StreamRead& read) {
  Measured measured;
  int next = 0;
  for (int64_t i = 0; i < tokens; ++i) {
    session.ResetProfile();
    BITFETCH_RETURN_IF_ERROR(session.Append(std::span(&next, 1)));
    BITFETCH_ASSIGN_OR_RETURN(next, Likeliest(session));
    measured.profile.Add(session.profile());
    measured.reads.push_back(read.Once());
  }
  return measured;
}

Result<Measured> Prefill(Session& session, int64_t tokens, StreamRead& read) {
  const std::vector<int> prompt = ScatteredTokens(tokens, session.model().config().vocab);
  Measured measured;
  session.ResetProfile();
  BITFETCH_RETURN_IF_ERROR(session.Append(prompt));
  BITFETCH_RETURN_IF_ERROR(Likeliest(session));
  measured.profile = session.profile();
  measured.reads.push_back(read.Once());
  return measured;
}

Status MeasureOnce(ModelBench bench, int64_t tokens, Engine& engine, Session& session,
                   StreamRead& read, ModelSeries& series) {
  const int64_t before = session.length();
  EngineForBench(engine).SetPrefetch(series.prefetch, series.ahead);
  const auto run = bench == ModelBench::kDecode ? Decode : Prefill;
  BITFETCH_ASSIGN_OR_RETURN(const Measured measured, run(session, tokens, read));
  session.Truncate(before);
  series.profile.Add(measured.profile);
  const StageProfile::Total sum = measured.profile.Sum();
  series.tokens_per_s.push_back(static_cast<double>(tokens) / sum.ns * 1e9);
  series.gb_per_s.push_back(static_cast<double>(sum.bytes) / sum.ns);
  series.read_gb_per_s.push_back(SpreadOf(measured.reads).median);
  return {};
}

// The rows of one place, one for each way to prefetch, measured in turn.
Result<std::vector<ModelBenchRow>> MeasureTogether(const ModelBenchOptions& options,
                                                   const AttentionPlace& place, int64_t tokens,
                                                   Engine& engine, Session& session,
                                                   StreamRead& read) {
  std::vector<ModelSeries> all;
  for (const PrefetchSetting& prefetch : options.prefetch) {
    for (const bool ahead : options.ahead) all.push_back({prefetch, ahead});
  }
  for (int repeat = 0; repeat < options.repeats; ++repeat) {
    for (size_t i = 0; i < all.size(); ++i) {
      BITFETCH_RETURN_IF_ERROR(MeasureOnce(options.bench, tokens, engine, session, read,
                                           all[(i + repeat) % all.size()]));
    }
  }
  std::vector<ModelBenchRow> rows;
  for (const ModelSeries& series : all) {
    EngineForBench access(engine);
    access.SetPrefetch(series.prefetch, series.ahead);
    rows.push_back({.place = place,
                    .prefetch = series.prefetch,
                    .ahead = series.ahead,
                    .plan = access.prefetch_plan(),
                    .tokens = tokens,
                    .tokens_per_s = SpreadOf(series.tokens_per_s),
                    .over_first = SpreadOf(Ratios(series.tokens_per_s, all[0].tokens_per_s)),
                    .bytes_per_token = series.profile.Sum().bytes / (tokens * options.repeats),
                    .gb_per_s = SpreadOf(series.gb_per_s),
                    .read_gb_per_s = SpreadOf(series.read_gb_per_s),
                    .fraction = SpreadOf(Ratios(series.gb_per_s, series.read_gb_per_s)),
                    .profile = series.profile,
                    .repeats = options.repeats});
  }
  return rows;
}

}  // namespace

Status BenchModel(
    const ModelBenchOptions& options,
    const std::function<Status(const ModelBenchRow&, int64_t done, int64_t total)>& on_row) {
  const int64_t total =
      options.places.count() *
      static_cast<int64_t>(options.tokens.size() * options.prefetch.size() * options.ahead.size());
  int64_t done = 0;
  const int64_t context = std::ranges::max(options.places.n_kv) + std::ranges::max(options.tokens);
  return ForEachPlace(
      options.places, context, context,
      [&](const AttentionPlace& place, const std::shared_ptr<Engine>& engine,
          StreamRead& read) -> Status {
        BITFETCH_ASSIGN_OR_RETURN(Sequence sequence, engine->NewSequence());
        BITFETCH_RETURN_IF_ERROR(EngineForBench(*engine).Fill(sequence, place.n_kv));
        Session session(engine, std::move(sequence));
        for (const int64_t tokens : options.tokens) {
          BITFETCH_ASSIGN_OR_RETURN(
              const auto rows, MeasureTogether(options, place, tokens, *engine, session, read));
          for (const ModelBenchRow& row : rows) {
            BITFETCH_RETURN_IF_ERROR(on_row(row, ++done, total));
          }
        }
        return {};
      });
}

}  // namespace bitfetch
