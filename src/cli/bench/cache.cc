// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <memory>

#include "base/thread_pool.h"
#include "bench/conversations.h"
#include "bench/hit_rate_bench.h"
#include "cli/bench/commands.h"
#include "cli/bench/runs.h"
#include "machine/topology.h"

namespace bitfetch {
namespace {

constexpr int64_t kMaxKeptTokens = int64_t{1} << 30;

struct CacheArguments {
  CacheBenchOptions bench;
  HitRateBenchOptions hits{.conversations = 0};
  std::string json;
};

std::string TableRow(const CacheBenchRow& row) {
  return fmt::format("{:>7}  {:<9}  {:>9}  {:<5}  {:<30}  {:<25}  {:<18}  {}", row.threads,
                     KvTypesName(row.kv_types), row.n_kv, CacheStoreName(row.store),
                     SpreadText(row.ttft_ms), row.over_none ? SpreadText(*row.over_none) : "-",
                     row.read ? SpreadText(row.read->gb_per_s) : "-",
                     row.read ? SpreadText(row.read->fraction) : "-");
}

std::string CacheHeader() {
  return fmt::format(
      "threads  kv         KV tokens  store  {:<30}  {:<25}  {:<18}  share of plain reads",
      "ms to the first token", kOverNoneTitle, "GB/s read");
}

BenchJson ToJson(const CacheBenchRow& row) {
  BenchJson json = {{"bench", "cache"},
                    {"threads", row.threads},
                    {"n_kv", row.n_kv},
                    {"kv_type", KvTypesName(row.kv_types)},
                    {"store", CacheStoreName(row.store)}};
  AddSpread(json, "ttft_ms", row.ttft_ms);
  if (row.over_none) AddSpread(json, "over_none", *row.over_none);
  if (row.read) {
    json["bytes"] = row.read->bytes;
    AddSpread(json, "gb_per_s", row.read->gb_per_s);
    AddSpread(json, "read_gb_per_s", row.read->read_gb_per_s);
    AddSpread(json, "fraction", row.read->fraction);
  }
  json["repeats"] = row.repeats;
  return json;
}

double Share(int64_t tokens, const HitRateBenchRow& row) {
  return static_cast<double>(tokens) / static_cast<double>(row.prompt_tokens);
}

constexpr std::string_view kHitRateHeader =
    "turns  prompt tokens  RAM tokens  disk tokens  hit rate  from RAM  from disk";

std::string TableRow(const HitRateBenchRow& row) {
  return fmt::format("{:>5}  {:>13}  {:>10}  {:>11}  {:>8.3f}  {:>8.3f}  {:>9.3f}", row.turns,
                     row.prompt_tokens, row.ram_tokens, row.disk_tokens,
                     Share(row.from_ram + row.from_disk, row), Share(row.from_ram, row),
                     Share(row.from_disk, row));
}

BenchJson ToJson(const HitRateBenchRow& row) {
  return {{"bench", "cache"},
          {"turns", row.turns},
          {"prompt_tokens", row.prompt_tokens},
          {"ram_tokens", row.ram_tokens},
          {"disk_tokens", row.disk_tokens},
          {"hit_rate", Share(row.from_ram + row.from_disk, row)},
          {"ram_hit_rate", Share(row.from_ram, row)},
          {"disk_hit_rate", Share(row.from_disk, row)}};
}

Result<int> RunHitRateBench(const CacheArguments& options) {
  HitRateBenchOptions hits = options.hits;
  hits.cache_dir = options.bench.cache_dir;
  return ReportRows(kHitRateHeader, options.json, [&](BenchRows& rows) {
    return BenchHitRate(hits,
                        [&](const HitRateBenchRow& row, int64_t done, int64_t total) -> Status {
                          BITFETCH_RETURN_IF_ERROR(rows.Add(TableRow(row), ToJson(row)));
                          return rows.Show(done, total, "rows");
                        });
  });
}

}  // namespace

Status RunCacheBench(const CacheBenchOptions& options, BenchRows& rows) {
  CacheBenchOptions bench = options;
  if (bench.threads.empty()) bench.threads = {ReadTopology().threads};
  return BenchCache(
      bench, [&](const CacheBenchRow& row) { return rows.Add(TableRow(row), ToJson(row)); },
      [&](int64_t done, int64_t total) { (void)rows.Show(done, total, "tokens"); });
}

void AddBenchCache(Command& bench) {
  const auto options = std::make_shared<CacheArguments>();
  CacheBenchOptions& cache = options->bench;
  Command& command =
      bench.Add("cache", {.usage = "(-m MODEL | --conversations N) [options]",
                          .summary = "measure how soon the first token comes behind a known prefix",
                          .more = fmt::format(R"({}

A prompt is --n-kv tokens and one more. They are computed (none), or their KV is in memory (ram), or
in a folder (disk) that an engine reads which was just opened, while the system's memory holds
nothing of it, or in Redis, likewise. The KV is random numbers, which Redis forgets after half an
hour. Beside the folder, a file of as many bytes is read in pieces of 1 MiB, eight at a time. Folder
and file take the room of all --n-kv tokens and of the largest once more, on the disk of
--cache-dir; both are removed in the end.

With --conversations no model is needed and nothing is timed: as many conversations, made up but the
same each time, are replayed over the keys of their blocks, and it is counted which share of their
prompts' tokens is found in memory and on disk, by how many tokens both hold.

examples:
  bitfetch bench cache -m models/tiny.gguf --n-kv 128,512
  bitfetch bench cache -m models/tiny.gguf --n-kv 512 --cache-dir . --kv-type f16,q8_0 --json -
  bitfetch bench cache --conversations 200 --ram-tokens 16384 --disk-tokens 0,262144)",
                                              kRowsHelp)});
  command.AddPath("-m,--model", "MODEL", "the model: a GGUF file", &cache.model);
  command.AddParsed("-t,--threads", "N,...",
                    fmt::format("how many threads work (default: {})", kAllThreads), &cache.threads,
                    [](std::string_view text) {
                      return ParseList<int>(text, Integer<int>(1, ThreadPool::kMaxThreads));
                    });
  AddKvTypes(command, &cache.kv_types);
  command.AddFlag("--no-mmap",
                  "read the whole file into memory first, instead of mapping it and reading what "
                  "is needed",
                  &cache.no_mmap);
  AddCounts(command, "--n-kv", "how many tokens the prefix has", &cache.n_kv, kTileTokens,
            kMaxTokens);
  command.AddPath("--cache-dir", "DIR",
                  "where the folder of KV is made, on the disk that is measured (default: where "
                  "the system has its temporary files)",
                  &cache.cache_dir);
  command.AddParsed("--kv-store", "URL",
                    "measure a Redis too, or several with commas between, as generate has it",
                    &cache.kv_store, ParseRedisAddresses);
  command.AddParsed(
      "--cold-repeats", "N",
      fmt::format("in how many of the repeats the prefix is computed too, which takes "
                  "long (default: {})",
                  cache.cold_repeats),
      &cache.cold_repeats, Integer<int>(0));
  HitRateBenchOptions& hits = options->hits;
  command.AddParsed("--conversations", "N", "replay so many conversations instead",
                    &hits.conversations, Integer<int>(1, 1'000'000));
  AddCounts(command, "--ram-tokens", "how many tokens memory holds then", &hits.ram_tokens,
            Conversations::kMaxTokens, kMaxKeptTokens);
  AddCounts(command, "--disk-tokens", "how many tokens the disk holds then", &hits.disk_tokens, 0,
            kMaxKeptTokens);
  AddRepeatsAndJson(command, &cache.repeats, &options->json);
  command.Require([options]() -> Status {
    if (options->bench.model.empty() == (options->hits.conversations > 0)) return {};
    return Fail("one of -m and --conversations is needed");
  });
  command.SetRun([options] {
    if (options->hits.conversations > 0) return RunHitRateBench(*options);
    return ReportRows(CacheHeader(), options->json,
                      [&](BenchRows& rows) { return RunCacheBench(options->bench, rows); });
  });
}

}  // namespace bitfetch
