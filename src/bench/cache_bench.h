// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_BENCH_CACHE_BENCH_H_
#define BITFETCH_BENCH_CACHE_BENCH_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/progress.h"
#include "bench/spread.h"
#include "kv/tile.h"
#include "tier/redis_address.h"

namespace bitfetch {

// Where the KV of a prompt's beginning is when the prompt comes.
enum class CacheStore {
  kNone,  // nowhere: it is computed
  kRam,   // in the engine's pool
  kDisk,  // in a folder, of which the system's memory holds nothing, and the engine was just opened
  kRedis,  // in Redis, and the engine was just opened
};
std::string_view CacheStoreName(CacheStore store);  // "none", "ram", "disk", "redis"

// How soon the first token comes behind a prefix that was met before: a row for each combination of
// the lists and each store. A prompt is the prefix and one token more; the model is loaded. What
// the stores hold are random numbers in the place of keys and values, and a key for each block of
// them, so that nothing is computed to fill them.
struct CacheBenchOptions {
  std::string model = {};
  bool no_mmap = false;
  std::vector<int> threads = {};
  std::vector<KvTypes> kv_types = {KvTypes{}};
  std::vector<int64_t> n_kv = {512, 2048, 8192};  // tokens of the prefix
  std::string cache_dir = {};  // where a folder for it is made; empty: among temporary files
  std::vector<RedisAddress> kv_store = {};  // empty: Redis is not measured
  int repeats = 5;
  int cold_repeats = 1;  // of them, those in which the prefix is computed too
};

struct CacheBenchRow {
  int64_t n_kv;
  int threads;
  KvTypes kv_types;
  CacheStore store;
  Spread ttft_ms;
  std::optional<Spread> over_none = {};  // the last time that it was computed, over this
  // From disk, the records' bytes over the time until all were adopted.
  struct Read {
    int64_t bytes;
    Spread gb_per_s;
    Spread read_gb_per_s;  // DiskRead of as many, right before
    Spread fraction;       // of each pair, the first over the second
  };
  std::optional<Read> read = {};
  int repeats;
};

// Rows of the same threads and KV types are measured in turn. `on_row` hears of them when those are
// done, `progress` of tokens; an error of `on_row` ends the benchmark. Errors: a model that cannot
// be opened, no memory, a folder that cannot be made or filled.
Status BenchCache(const CacheBenchOptions& options,
                  const std::function<Status(const CacheBenchRow&)>& on_row,
                  const Progress& progress);

}  // namespace bitfetch

#endif  // BITFETCH_BENCH_CACHE_BENCH_H_
