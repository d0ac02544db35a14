// SPDX-License-Identifier: Apache-2.0
#include "bench/model_bench.h"

#include <algorithm>
#include <memory>
#include <optional>

#include "base/thread_pool.h"
#include "bench/session_for_bench.h"
#include "engine/session.h"
#include "machine/clock.h"
#include "machine/stream_read.h"

namespace bitfetch {
namespace {

// One way to prefetch, and what it gave.
struct Series {
  PrefetchSetting prefetch;
  bool ahead;
  std::vector<double> tokens_per_s = {};
  std::vector<double> gb_per_s = {};
  std::vector<double> read_gb_per_s = {};
  StageProfile profile = {};
};

// Time and the streaming reads beside it, of one measurement.
struct Measured {
  double ns = 0;
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
    const double begin = NowNs();
    BITFETCH_RETURN_IF_ERROR(session.Append(std::span(&next, 1)));
    BITFETCH_ASSIGN_OR_RETURN(next, Likeliest(session));
    measured.ns += NowNs() - begin;
    measured.reads.push_back(read.Once());
  }
  return measured;
}

Result<Measured> Prefill(Session& session, int64_t tokens, StreamRead& read) {
  std::vector<int> prompt(tokens);
  const int64_t vocab = session.model().config().vocab;
  for (int64_t i = 0; i < tokens; ++i) prompt[i] = static_cast<int>(i * 7919 % vocab);
  Measured measured;
  const double begin = NowNs();
  BITFETCH_RETURN_IF_ERROR(session.Append(prompt));
  BITFETCH_RETURN_IF_ERROR(Likeliest(session));
  measured.ns = NowNs() - begin;
  measured.reads.push_back(read.Once());
  return measured;
}

Status MeasureOnce(ModelBench bench, int64_t tokens, Session& session, StreamRead& read,
                   Series& series) {
  const int64_t before = session.length();
  SessionForBench(session).SetPrefetch(series.prefetch, series.ahead);
  session.ResetProfile();
  const auto run = bench == ModelBench::kDecode ? Decode : Prefill;
  BITFETCH_ASSIGN_OR_RETURN(const Measured measured, run(session, tokens, read));
  session.Truncate(before);
  series.profile.Add(session.profile());
  series.tokens_per_s.push_back(static_cast<double>(tokens) / measured.ns * 1e9);
  series.gb_per_s.push_back(static_cast<double>(session.profile().Sum().bytes) / measured.ns);
  series.read_gb_per_s.push_back(SpreadOf(measured.reads).median);
  return {};
}

// The rows of one place, one for each way to prefetch, measured in turn.
Result<std::vector<ModelBenchRow>> MeasureTogether(const ModelBenchOptions& options, int64_t n_kv,
                                                   int64_t tokens, const EngineOptions& opened,
                                                   Session& session, StreamRead& read) {
  std::vector<Series> all;
  for (const PrefetchSetting& prefetch : options.prefetch) {
    for (const bool ahead : options.ahead) all.push_back({prefetch, ahead});
  }
  for (int repeat = 0; repeat < options.repeats; ++repeat) {
    for (size_t i = 0; i < all.size(); ++i) {
      BITFETCH_RETURN_IF_ERROR(
          MeasureOnce(options.bench, tokens, session, read, all[(i + repeat) % all.size()]));
    }
  }
  std::vector<ModelBenchRow> rows;
  for (const Series& series : all) {
    SessionForBench access(session);
    access.SetPrefetch(series.prefetch, series.ahead);
    rows.push_back({.threads = session.threads(),
                    .n_kv = n_kv,
                    .kv_types = opened.kv_types,
                    .placement = opened.placement,
                    .pages = opened.pages,
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
  const auto total =
      static_cast<int64_t>(options.threads.size() * options.pages.size() * options.kv_types.size() *
                           options.placements.size() * options.n_kv.size() * options.tokens.size() *
                           options.prefetch.size() * options.ahead.size());
  int64_t done = 0;
  const size_t cold_bytes = StreamRead::ColdBytes();
  for (const int threads : options.threads) {
    BITFETCH_ASSIGN_OR_RETURN(const auto pool, ThreadPool::Create(threads));
    for (const PageSize pages : options.pages) {
      BITFETCH_ASSIGN_OR_RETURN(StreamRead read, StreamRead::Create(*pool, cold_bytes, pages));
      for (const KvTypes types : options.kv_types) {
        for (const BlockPlacement placement : options.placements) {
          const EngineOptions opened{
              .threads = threads,
              .context = std::ranges::max(options.n_kv) + std::ranges::max(options.tokens),
              .kv_types = types,
              .pages = pages,
              .placement = placement,
              .mmap = options.mmap,
              .share_prefixes = false};  // a prompt is computed each time
          BITFETCH_ASSIGN_OR_RETURN(const auto session, Session::Open(options.model, opened));
          SessionForBench(*session).FinishMoving();
          for (const int64_t n_kv : options.n_kv) {
            session->Truncate(0);
            BITFETCH_RETURN_IF_ERROR(SessionForBench(*session).Fill(n_kv));
            for (const int64_t tokens : options.tokens) {
              BITFETCH_ASSIGN_OR_RETURN(
                  const auto rows, MeasureTogether(options, n_kv, tokens, opened, *session, read));
              for (const ModelBenchRow& row : rows) {
                BITFETCH_RETURN_IF_ERROR(on_row(row, ++done, total));
              }
            }
          }
        }
      }
    }
  }
  return {};
}

}  // namespace bitfetch
