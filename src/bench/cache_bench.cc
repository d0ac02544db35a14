// SPDX-License-Identifier: Apache-2.0
#include "bench/cache_bench.h"

#include <algorithm>
#include <limits>
#include <memory>
#include <numeric>
#include <span>
#include <utility>

#include "bench/disk_read.h"
#include "bench/engine_for_bench.h"
#include "bench/model_places.h"
#include "bench/scratch_folder.h"
#include "engine/engine.h"
#include "machine/clock.h"
#include "tier/block_record.h"

namespace bitfetch {
namespace {

// Nobody else has it: a Redis that others use too tells them none of the random numbers.
constexpr std::string_view kSalt = "bitfetch bench cache";
// What is left in Redis goes by itself.
constexpr int kTtlSeconds = 1800;

// Those that are measured.
std::vector<CacheStore> StoresOf(const CacheBenchOptions& options) {
  std::vector<CacheStore> stores = {CacheStore::kNone, CacheStore::kRam, CacheStore::kDisk};
  if (!options.kv_store.empty()) stores.push_back(CacheStore::kRedis);
  return stores;
}

// One prefix in one store, and what it gave.
struct CacheSeries {
  int64_t n_kv;
  CacheStore store;
  std::vector<double> ttft_ms = {};
  std::vector<double> over_none = {};
  std::vector<double> gb_per_s = {};
  std::vector<double> read_gb_per_s = {};
};

struct FirstToken {
  double seconds = 0;
  double adopting_seconds = 0;  // of them, until there was nothing more to adopt
};

// All that is measured with the same threads and KV types.
class CacheMeasurement {
 public:
  CacheMeasurement(const CacheBenchOptions& options, int threads, KvTypes types,
                   ScratchFolder& folder, Progress progress)
      : options_(options),
        threads_(threads),
        types_(types),
        folder_(folder),
        progress_(std::move(progress)) {}

  Result<std::vector<CacheBenchRow>> Run();

 private:
  StoreOptions Folder() const;
  StoreOptions Redis() const;
  Result<std::unique_ptr<Engine>> Open(const StoreOptions& store, bool share_prefixes = true) const;
  std::vector<int> Prompt(const Engine& engine, size_t prefix) const;
  Status Fill(Engine& engine) const;
  Status FillStores();
  Status Turn(CacheStore store);
  Result<FirstToken> Measure(Engine& engine, const CacheSeries& series,
                             std::span<const int> prompt);
  CacheBenchRow RowOf(const CacheSeries& series) const;
  int64_t RecordsBytes(int64_t n_kv) const {
    return n_kv / kTileTokens * static_cast<int64_t>(record_bytes_);
  }

  const CacheBenchOptions& options_;
  const std::vector<CacheStore> stores_ = StoresOf(options_);
  const int threads_;
  const KvTypes types_;
  ScratchFolder& folder_;
  const Progress progress_;
  const int64_t tokens_ = std::accumulate(options_.n_kv.begin(), options_.n_kv.end(), int64_t{0});
  int64_t done_ = 0;
  size_t record_bytes_ = 0;
  std::optional<DiskRead> read_;
  std::vector<CacheSeries> all_;   // [prefixes][stores]
  std::vector<double> computing_;  // [prefixes] seconds, last
};

StoreOptions CacheMeasurement::Folder() const {
  return {.cache_dir = folder_.path(), .cache_disk_bytes = std::numeric_limits<int64_t>::max()};
}

StoreOptions CacheMeasurement::Redis() const {
  StoreOptions redis{.kv_store = options_.kv_store};
  for (RedisAddress& address : redis.kv_store) {
    address.ttl_seconds = std::min(address.ttl_seconds, kTtlSeconds);
  }
  return redis;
}

Result<std::unique_ptr<Engine>> CacheMeasurement::Open(const StoreOptions& store,
                                                       bool share_prefixes) const {
  const auto prefixes = static_cast<int64_t>(options_.n_kv.size());
  EngineOptions options{.threads = threads_,
                        .context = std::ranges::max(options_.n_kv) + 1,
                        // Twice what is held: half of a pool is for what comes from a store.
                        .kv_tokens = 2 * (tokens_ + prefixes * 2 * kTileTokens),
                        .kv_types = types_,
                        .mmap = !options_.no_mmap,
                        .share_prefixes = share_prefixes,
                        .store = store};
  BITFETCH_ASSIGN_OR_RETURN(std::unique_ptr<Engine> engine, Engine::Open(options_.model, options));
  // What is done once only is no part of what is measured.
  EngineForBench(*engine).FinishMoving();
  BITFETCH_ASSIGN_OR_RETURN(Sequence sequence, engine->NewSequence(kSalt));
  const int token = 0;
  SequencePiece piece{.sequence = &sequence, .tokens = {&token, 1}};
  BITFETCH_RETURN_IF_ERROR(engine->Run({&piece, 1}));
  BITFETCH_RETURN_IF_ERROR(piece.status);
  return engine;
}

// Prefixes have no block in common.
std::vector<int> CacheMeasurement::Prompt(const Engine& engine, size_t prefix) const {
  const int64_t vocab = engine.model().config().vocab;
  std::vector<int> prompt = ScatteredTokens(options_.n_kv[prefix] + 1, vocab);
  prompt.front() = static_cast<int>(static_cast<int64_t>(prefix) % vocab);
  return prompt;
}

Status CacheMeasurement::Fill(Engine& engine) const {
  EngineForBench access(engine);
  for (size_t i = 0; i < options_.n_kv.size(); ++i) {
    BITFETCH_ASSIGN_OR_RETURN(Sequence sequence, engine.NewSequence(kSalt));
    BITFETCH_RETURN_IF_ERROR(access.Fill(sequence, Prompt(engine, i)));
    access.Publish(sequence);
  }
  return {};
}

// And the file beside it that is read for comparison.
Status CacheMeasurement::FillStores() {
  {
    StoreOptions all = Folder();
    all.kv_store = Redis().kv_store;
    BITFETCH_ASSIGN_OR_RETURN(const std::unique_ptr<Engine> engine, Open(all));
    record_bytes_ = kRecordHeaderBytes + engine->pool().stride_bytes();
    BITFETCH_ASSIGN_OR_RETURN(const Sequence sequence, engine->NewSequence(kSalt));
    for (size_t i = 0; i < options_.n_kv.size(); ++i) {
      folder_.Announce(EngineForBench(*engine).Keys(sequence, Prompt(*engine, i)));
    }
    BITFETCH_RETURN_IF_ERROR(Fill(*engine));
  }  // all is written
  const std::string file = "plain";
  folder_.Announce(file);
  BITFETCH_ASSIGN_OR_RETURN(
      read_, DiskRead::Create(folder_.Path(file), RecordsBytes(std::ranges::max(options_.n_kv))));
  return {};
}

Result<FirstToken> CacheMeasurement::Measure(Engine& engine, const CacheSeries& series,
                                             std::span<const int> prompt) {
  BITFETCH_ASSIGN_OR_RETURN(Sequence sequence, engine.NewSequence(kSalt));
  FirstToken first;
  const Stopwatch time;
  int64_t adopted = 0;
  for (bool is_coming = true; is_coming;) {
    adopted += engine.Adopt(sequence, prompt.subspan(adopted), &is_coming);
    if (is_coming) engine.WaitForKv();
  }
  first.adopting_seconds = time.Seconds();
  const int64_t there =
      series.store == CacheStore::kNone ? 0 : series.n_kv / kTileTokens * kTileTokens;
  if (adopted != there) {
    return Fail("{} of {} tokens came from {}", adopted, there, CacheStoreName(series.store));
  }
  SequencePiece piece{.sequence = &sequence, .tokens = prompt.subspan(adopted)};
  BITFETCH_RETURN_IF_ERROR(engine.Run({&piece, 1}, [&](int64_t done, int64_t) {
    progress_(done_ + std::min(adopted + done, series.n_kv), 0);
  }));
  BITFETCH_RETURN_IF_ERROR(piece.status);
  LogitsQuery query{.sequence = &sequence, .wanted = {.top = 1}};
  engine.Logits({&query, 1});
  BITFETCH_RETURN_IF_ERROR(query.status);
  first.seconds = time.Seconds();
  done_ += series.n_kv;
  return first;
}

// Each prefix once.
Status CacheMeasurement::Turn(CacheStore store) {
  const StoreOptions from = store == CacheStore::kDisk    ? Folder()
                            : store == CacheStore::kRedis ? Redis()
                                                          : StoreOptions();
  BITFETCH_ASSIGN_OR_RETURN(const std::unique_ptr<Engine> engine,
                            Open(from, store != CacheStore::kNone));
  if (store == CacheStore::kRam) BITFETCH_RETURN_IF_ERROR(Fill(*engine));
  if (store == CacheStore::kDisk) BITFETCH_RETURN_IF_ERROR(folder_.DropFromMemory());
  for (CacheSeries& series : all_) {
    if (series.store != store) continue;
    const size_t prefix = (&series - all_.data()) / stores_.size();
    const std::vector<int> prompt = Prompt(*engine, prefix);
    const int64_t bytes = RecordsBytes(series.n_kv);
    if (store == CacheStore::kDisk) {
      BITFETCH_ASSIGN_OR_RETURN(const double plain, read_->Once(bytes));
      series.read_gb_per_s.push_back(plain);
    }
    BITFETCH_ASSIGN_OR_RETURN(const FirstToken first, Measure(*engine, series, prompt));
    series.ttft_ms.push_back(first.seconds * 1e3);
    if (store == CacheStore::kNone) computing_[prefix] = first.seconds;
    if (options_.cold_repeats > 0) series.over_none.push_back(computing_[prefix] / first.seconds);
    if (store == CacheStore::kDisk) {
      series.gb_per_s.push_back(static_cast<double>(bytes) / first.adopting_seconds * 1e-9);
    }
  }
  return {};
}

CacheBenchRow CacheMeasurement::RowOf(const CacheSeries& series) const {
  CacheBenchRow row{.n_kv = series.n_kv,
                    .threads = threads_,
                    .kv_types = types_,
                    .store = series.store,
                    .ttft_ms = SpreadOf(series.ttft_ms),
                    .repeats = static_cast<int>(series.ttft_ms.size())};
  if (!series.over_none.empty()) row.over_none = SpreadOf(series.over_none);
  if (!series.gb_per_s.empty()) {
    row.read = {.bytes = RecordsBytes(series.n_kv),
                .gb_per_s = SpreadOf(series.gb_per_s),
                .read_gb_per_s = SpreadOf(series.read_gb_per_s),
                .fraction = SpreadOf(Ratios(series.gb_per_s, series.read_gb_per_s))};
  }
  return row;
}

Result<std::vector<CacheBenchRow>> CacheMeasurement::Run() {
  for (const int64_t n_kv : options_.n_kv) {
    for (const CacheStore store : stores_) all_.push_back({n_kv, store});
  }
  computing_.resize(options_.n_kv.size());
  BITFETCH_RETURN_IF_ERROR(FillStores());
  for (int repeat = 0; repeat < options_.repeats; ++repeat) {
    for (const CacheStore store : stores_) {
      if (store == CacheStore::kNone && repeat >= options_.cold_repeats) continue;
      BITFETCH_RETURN_IF_ERROR(Turn(store));
    }
  }
  std::vector<CacheBenchRow> rows;
  for (const CacheSeries& series : all_) {
    if (!series.ttft_ms.empty()) rows.push_back(RowOf(series));
  }
  return rows;
}

}  // namespace

std::string_view CacheStoreName(CacheStore store) {
  switch (store) {
    case CacheStore::kNone:
      return "none";
    case CacheStore::kRam:
      return "ram";
    case CacheStore::kDisk:
      return "disk";
    case CacheStore::kRedis:
      return "redis";
  }
  return "";
}

Status BenchCache(const CacheBenchOptions& options,
                  const std::function<Status(const CacheBenchRow&)>& on_row,
                  const Progress& progress) {
  const int64_t turns = std::min(options.repeats, options.cold_repeats) +
                        options.repeats * (std::ssize(StoresOf(options)) - 1);
  const int64_t each =
      turns * std::accumulate(options.n_kv.begin(), options.n_kv.end(), int64_t{0});
  const int64_t total = each * std::ssize(options.threads) * std::ssize(options.kv_types);
  int64_t before = 0;
  for (const int threads : options.threads) {
    for (const KvTypes types : options.kv_types) {
      BITFETCH_ASSIGN_OR_RETURN(ScratchFolder folder, ScratchFolder::Create(options.cache_dir));
      CacheMeasurement measurement(options, threads, types, folder,
                                   [&](int64_t done, int64_t) { progress(before + done, total); });
      BITFETCH_ASSIGN_OR_RETURN(const std::vector<CacheBenchRow> rows, measurement.Run());
      for (const CacheBenchRow& row : rows) BITFETCH_RETURN_IF_ERROR(on_row(row));
      before += each;
    }
  }
  return {};
}

}  // namespace bitfetch
