// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_ENGINE_BENCH_ATTENTION_H_
#define BITFETCH_ENGINE_BENCH_ATTENTION_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/memory.h"
#include "engine/spread.h"
#include "kv/block_pool.h"
#include "kv/tile.h"
#include "prefetch/setting.h"

namespace bitfetch {

// Decode attention without a model: every combination of the lists is a row.
struct AttentionBenchOptions {
  int kv_heads = 5;
  int group = 4;  // query heads to a KV head
  int head_dim = 128;
  std::vector<int64_t> n_kv = {8192};  // tokens in the cache
  std::vector<int> threads;
  std::vector<KvTypes> kv_types = {KvTypes{}};
  std::vector<BlockPlacement> placements = {BlockPlacement::kContiguous};
  std::vector<PageSize> pages = {PageSize::kHuge};
  std::vector<PrefetchSetting> prefetch = {PrefetchSetting{PrefetchSetting::Mode::kOff},
                                           PrefetchSetting{}};
  int repeats = 15;
};

struct AttentionBenchRow {
  int64_t n_kv;
  int threads;
  KvTypes kv_types;
  BlockPlacement placement;
  PageSize pages;
  PrefetchSetting prefetch;
  int64_t distance_bytes;  // what the setting came to
  int streams;             // that the kernel walks in turn, with or without prefetch
  Spread gb_per_s;         // KV bytes read by attention
  Spread
      read_gb_per_s;  // the best streaming read of the same threads and pages, interleaved with it
  Spread fraction;    // of each pair, the first over the second
  int repeats;
};

// Rows that differ in `prefetch` only are measured in turn, pass by pass, beside the streaming
// read. KV is cold: the sequences that are rotated through exceed the last-level cache several
// times. `on_row` hears of rows as they are done, with how many there are in all. Errors: shapes no
// kernel takes, no memory.
Result<std::vector<AttentionBenchRow>> BenchAttention(
    const AttentionBenchOptions& options,
    const std::function<void(const AttentionBenchRow&, int64_t done, int64_t total)>& on_row);

}  // namespace bitfetch

#endif  // BITFETCH_ENGINE_BENCH_ATTENTION_H_
