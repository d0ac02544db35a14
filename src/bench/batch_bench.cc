// SPDX-License-Identifier: Apache-2.0
#include "bench/batch_bench.h"

#include <algorithm>
#include <memory>
#include <span>
#include <utility>

#include "bench/engine_for_bench.h"
#include "engine/engine.h"
#include "machine/clock.h"
#include "machine/stream_read.h"

namespace bitfetch {
namespace {

constexpr int64_t kPassRows = ForwardPass::kMaxRows;

// Sequences with a common beginning, as many as any row wants.
struct Prefix {
  int64_t shared;
  std::vector<Sequence> sequences = {};
  double pass_rows_per_s = 0;  // of this turn
};

// What a row of the benchmark is about, and what it gave.
struct BatchSeries {
  PrefetchSetting setting;
  int64_t sequences;
  int64_t rows;
  size_t prefix;
  std::vector<double> step_ms = {};
  std::vector<double> tokens_per_s = {};
  std::vector<double> over_one = {};
  std::vector<double> pass_rows_per_s = {};
  std::vector<double> of_bound = {};
  std::vector<double> gb_per_s = {};
  std::vector<double> read_gb_per_s = {};
  int64_t bytes = 0;  // of the last step

  int64_t tokens() const { return sequences * rows; }
};

Result<std::vector<Sequence>> Fork(Engine& engine, int64_t count, int64_t n_kv, int64_t shared) {
  EngineForBench access(engine);
  BITFETCH_ASSIGN_OR_RETURN(Sequence prefix, engine.NewSequence());
  BITFETCH_RETURN_IF_ERROR(access.Fill(prefix, shared));
  std::vector<Sequence> sequences;
  for (int64_t i = 0; i < count; ++i) {
    sequences.push_back(prefix.Fork());
    BITFETCH_RETURN_IF_ERROR(access.Fill(sequences.back(), n_kv - shared));
  }
  return sequences;
}

// All that is measured in one place.
class BatchMeasurement {
 public:
  BatchMeasurement(const BatchBenchOptions& options, const AttentionPlace& place, Engine& engine,
                   StreamRead& read)
      : options_(options), place_(place), engine_(engine), read_(read) {}

  Result<std::vector<BatchBenchRow>> Run();

 private:
  Result<double> StepNs(std::span<Sequence> sequences, int64_t rows);
  Status Turn();
  Status Measure(BatchSeries& series);
  BatchBenchRow RowOf(const BatchSeries& series) const;
  const BatchSeries* Own(const BatchSeries& series) const;

  const BatchBenchOptions& options_;
  const AttentionPlace& place_;
  Engine& engine_;
  StreamRead& read_;
  std::vector<Prefix> prefixes_;
  std::vector<BatchSeries> all_;
  std::vector<float> logits_;  // [rows of a step][vocab]
};

Result<double> BatchMeasurement::StepNs(std::span<Sequence> sequences, int64_t rows) {
  const int64_t vocab = engine_.model().config().vocab;
  const auto count = static_cast<int64_t>(sequences.size());
  const std::vector<int> tokens = ScatteredTokens(count * rows, vocab);
  if (rows > 1) logits_.resize(std::max<size_t>(logits_.size(), count * rows * vocab));
  std::vector<SequencePiece> pieces;
  std::vector<LogitsQuery> queries;
  for (int64_t i = 0; i < count; ++i) {
    pieces.push_back({.sequence = &sequences[i],
                      .tokens = std::span(tokens).subspan(i * rows, rows),
                      .logits = rows > 1 ? logits_.data() + i * rows * vocab : nullptr});
    if (rows == 1) queries.push_back({.sequence = &sequences[i], .wanted = {.top = 1}});
  }
  engine_.ResetProfile();
  const double begin = NowNs();
  BITFETCH_RETURN_IF_ERROR(engine_.Run(pieces));
  if (rows == 1) engine_.Logits(queries);
  const double ns = NowNs() - begin;
  for (Sequence& sequence : sequences) sequence.Truncate(place_.n_kv);
  for (const SequencePiece& piece : pieces) BITFETCH_RETURN_IF_ERROR(piece.status);
  for (const LogitsQuery& query : queries) BITFETCH_RETURN_IF_ERROR(query.status);
  return ns;
}

Status BatchMeasurement::Measure(BatchSeries& series) {
  Prefix& prefix = prefixes_[series.prefix];
  const std::span<Sequence> sequences(prefix.sequences);
  read_.Once();  // before both, so that they find the same in the CPU's caches
  BITFETCH_ASSIGN_OR_RETURN(const double one_ns, StepNs(sequences.first(1), 1));
  const double read_gb_per_s = read_.Once();
  BITFETCH_ASSIGN_OR_RETURN(const double ns,
                            StepNs(sequences.first(series.sequences), series.rows));
  series.bytes = engine_.profile().Sum().bytes;
  const auto tokens = static_cast<double>(series.tokens());
  const double tokens_per_s = tokens / ns * 1e9;
  series.step_ms.push_back(ns * 1e-6);
  series.tokens_per_s.push_back(tokens_per_s);
  series.over_one.push_back(tokens * one_ns / ns);
  series.pass_rows_per_s.push_back(prefix.pass_rows_per_s);
  series.of_bound.push_back(tokens_per_s / std::min(tokens / one_ns * 1e9, prefix.pass_rows_per_s));
  series.gb_per_s.push_back(static_cast<double>(series.bytes) / ns);
  series.read_gb_per_s.push_back(read_gb_per_s);
  return {};
}

// Each series once, and before those of a setting the passes of 64 rows.
Status BatchMeasurement::Turn() {
  const PrefetchSetting* setting = nullptr;
  for (BatchSeries& series : all_) {
    if (setting == nullptr || !(*setting == series.setting)) {
      setting = &series.setting;
      EngineForBench(engine_).SetPrefetch(*setting, /*ahead=*/true);
      for (Prefix& prefix : prefixes_) {
        BITFETCH_ASSIGN_OR_RETURN(const double ns,
                                  StepNs(std::span(prefix.sequences).first(1), kPassRows));
        prefix.pass_rows_per_s = kPassRows / ns * 1e9;
      }
    }
    BITFETCH_RETURN_IF_ERROR(Measure(series));
  }
  return {};
}

// What differs in the prefix alone, with none.
const BatchSeries* BatchMeasurement::Own(const BatchSeries& series) const {
  if (prefixes_[series.prefix].shared == 0) return nullptr;
  const auto it = std::ranges::find_if(all_, [&](const BatchSeries& other) {
    return other.setting == series.setting && other.sequences == series.sequences &&
           other.rows == series.rows && prefixes_[other.prefix].shared == 0;
  });
  return it == all_.end() ? nullptr : &*it;
}

BatchBenchRow BatchMeasurement::RowOf(const BatchSeries& series) const {
  EngineForBench access(engine_);
  access.SetPrefetch(series.setting, /*ahead=*/true);
  const BatchSeries* own = Own(series);
  return {.place = place_,
          .prefetch = series.setting,
          .plan = access.prefetch_plan(),
          .sequences = series.sequences,
          .shared = prefixes_[series.prefix].shared,
          .rows = series.rows,
          .step_ms = SpreadOf(series.step_ms),
          .tokens_per_s = SpreadOf(series.tokens_per_s),
          .over_one = SpreadOf(series.over_one),
          .pass64_rows_per_s = SpreadOf(series.pass_rows_per_s),
          .of_bound = SpreadOf(series.of_bound),
          .over_own = own == nullptr
                          ? std::nullopt
                          : std::optional(SpreadOf(Ratios(series.tokens_per_s, own->tokens_per_s))),
          .bytes_per_token = series.bytes / series.tokens(),
          .gb_per_s = SpreadOf(series.gb_per_s),
          .read_gb_per_s = SpreadOf(series.read_gb_per_s),
          .fraction = SpreadOf(Ratios(series.gb_per_s, series.read_gb_per_s)),
          .repeats = options_.repeats};
}

Result<std::vector<BatchBenchRow>> BatchMeasurement::Run() {
  for (const int64_t shared : options_.shared) {
    BITFETCH_ASSIGN_OR_RETURN(
        auto sequences, Fork(engine_, std::ranges::max(options_.sequences), place_.n_kv, shared));
    prefixes_.push_back({.shared = shared, .sequences = std::move(sequences)});
  }
  std::vector<BatchSeries> all;
  for (const PrefetchSetting& setting : options_.prefetch) {
    for (const int64_t sequences : options_.sequences) {
      for (const int64_t rows : options_.rows) {
        for (size_t prefix = 0; prefix < prefixes_.size(); ++prefix) {
          all.push_back({setting, sequences, rows, prefix});
        }
      }
    }
  }
  all_ = all;
  BITFETCH_RETURN_IF_ERROR(Turn());
  all_ = std::move(all);
  for (int repeat = 0; repeat < options_.repeats; ++repeat) BITFETCH_RETURN_IF_ERROR(Turn());
  std::vector<BatchBenchRow> rows;
  for (const BatchSeries& series : all_) rows.push_back(RowOf(series));
  return rows;
}

// Of all prefixes at once, for the largest n_kv; each sequence may begin and end in the middle of a
// block.
int64_t TokensOfAll(const BatchBenchOptions& options, int64_t context) {
  const int64_t sequences = std::ranges::max(options.sequences);
  int64_t tokens = 0;
  for (const int64_t shared : options.shared) {
    tokens += shared + sequences * (context - shared + 2 * kTileTokens);
  }
  return tokens;
}

}  // namespace

Status BenchBatch(
    const BatchBenchOptions& options,
    const std::function<Status(const BatchBenchRow&, int64_t done, int64_t total)>& on_row) {
  if (std::ranges::max(options.shared) > std::ranges::min(options.places.n_kv)) {
    return Fail("sequences of {} tokens can't have {} of them in common",
                std::ranges::min(options.places.n_kv), std::ranges::max(options.shared));
  }
  const int64_t total = options.places.count() *
                        static_cast<int64_t>(options.sequences.size() * options.shared.size() *
                                             options.rows.size() * options.prefetch.size());
  int64_t done = 0;
  const int64_t context =
      std::ranges::max(options.places.n_kv) + std::max(std::ranges::max(options.rows), kPassRows);
  return ForEachPlace(options.places, context, TokensOfAll(options, context),
                      [&](const AttentionPlace& place, const std::shared_ptr<Engine>& engine,
                          StreamRead& read) -> Status {
                        BITFETCH_ASSIGN_OR_RETURN(
                            const auto rows, BatchMeasurement(options, place, *engine, read).Run());
                        for (const BatchBenchRow& row : rows) {
                          BITFETCH_RETURN_IF_ERROR(on_row(row, ++done, total));
                        }
                        return {};
                      });
}

}  // namespace bitfetch
