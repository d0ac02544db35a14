// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_BENCH_ATTENTION_PLACES_H_
#define BITFETCH_BENCH_ATTENTION_PLACES_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "base/error.h"
#include "base/memory.h"
#include "base/thread_pool.h"
#include "engine/cold_attention.h"
#include "kv/block_pool.h"
#include "kv/kv_cache.h"
#include "kv/tile.h"
#include "machine/profile.h"
#include "machine/stream_read.h"

namespace bitfetch {

// Attention without a model.
struct AttentionShape {
  int kv_heads = 5;
  int group = 4;  // query heads to a KV head
  int head_dim = 128;
};

// What it reads, and where that lies.
struct AttentionPlace {
  int64_t n_kv = 8192;  // tokens in the cache
  int threads = 1;
  KvTypes kv_types = {};
  BlockPlacement placement = BlockPlacement::kContiguous;
  PageSize pages = PageSize::kHuge;
};

// What benchmarks of it are given: every combination of the lists is a place.
struct AttentionPlaces {
  AttentionShape shape;
  std::vector<int64_t> n_kv = {8192};
  std::vector<int> threads;
  std::vector<KvTypes> kv_types = {KvTypes{}};
  std::vector<BlockPlacement> placements = {BlockPlacement::kContiguous};
  std::vector<PageSize> pages = {PageSize::kHuge};
  std::optional<size_t> cold_bytes =
      {};  // that all reads take turns in; else StreamRead::ColdBytes

  int64_t count() const;
};

// Errors: a shape that no kernel takes for one of the types, a cache without tokens.
Status CheckPlaces(const AttentionPlaces& places);

// Calls `measure` for each of places that were checked, in turn, with a pool of its threads and a
// streaming read on them and on its pages; stops at the first error. Errors: no memory, threads
// that the system refuses.
Status ForEachPlace(
    const AttentionPlaces& places,
    const std::function<Status(const AttentionPlace&, ThreadPool&, StreamRead&)>& measure);

// What the law goes by in a benchmark of these kernels: what is kept, or else measured now as by
// `bitfetch tune`.
MachineProfile ProfileForBench(const Kernels& kernels, const std::vector<KvTypes>& types);

// Decode attention in a place: one long sequence of synthetic KV, each slice of which is a cache of
// n_kv tokens to attention, and a turn through all slices exceeds the CPU's caches.
class PlacedAttention {
 public:
  // Fills `cold_bytes` and two slices more. The pool, of place.threads, must outlive it. Errors:
  // shapes that no kernel takes, no memory.
  static Result<PlacedAttention> Create(const Kernels& kernels, ThreadPool& pool,
                                        const AttentionShape& shape, const AttentionPlace& place,
                                        size_t cold_bytes);

  // What the prefetch law is to be asked with.
  const PrefetchAccess& access() const { return access_; }

  // Attends over the next slices, 32 MiB of them, one at least and 256 at most, a token each;
  // returns GB/s.
  double Pass(const PrefetchPlan& plan);
  int64_t pass_bytes() const { return static_cast<int64_t>(pass_.size()) * slice_bytes_; }

 private:
  PlacedAttention(const Kernels& kernels, ThreadPool& pool, const AttentionShape& shape,
                  const AttentionPlace& place, KvCache cache, int64_t count);

  KvView Next();

  KvCache cache_;
  ColdAttention attention_;
  PrefetchAccess access_;
  int64_t n_kv_;
  int64_t count_;  // of slices
  int64_t next_ = 0;
  int64_t slice_bytes_;
  std::vector<KvView> pass_;  // slices that a pass reads
};

}  // namespace bitfetch

#endif  // BITFETCH_BENCH_ATTENTION_PLACES_H_
