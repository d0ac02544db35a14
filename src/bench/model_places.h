// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_BENCH_MODEL_PLACES_H_
#define BITFETCH_BENCH_MODEL_PLACES_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/memory.h"
#include "bench/attention_places.h"
#include "engine/engine.h"
#include "kv/block_pool.h"
#include "kv/tile.h"
#include "machine/stream_read.h"

namespace bitfetch {

// What benchmarks of a whole model are given: every combination of the lists is a place.
struct ModelPlaces {
  std::string model;  // its path
  bool no_mmap = false;
  std::vector<int64_t> n_kv = {0};  // tokens in a sequence before, of synthetic content
  std::vector<int> threads;
  std::vector<KvTypes> kv_types = {KvTypes{}};
  std::vector<BlockPlacement> placements = {BlockPlacement::kContiguous};
  std::vector<PageSize> pages = {PageSize::kHuge};

  int64_t count() const;
};

// Calls `measure` for each place, in turn, with an engine and a streaming read on its threads and
// pages; stops at the first error. The engine takes sequences of `context` tokens, `kv_tokens` of
// all together; prefixes are computed each time. Errors: a model that cannot be opened, no memory.
Status ForEachPlace(
    const ModelPlaces& places, int64_t context, int64_t kv_tokens,
    const std::function<Status(const AttentionPlace&, const std::shared_ptr<Engine>&, StreamRead&)>&
        measure);

// Token ids from all over the vocabulary.
std::vector<int> ScatteredTokens(int64_t count, int64_t vocab);

}  // namespace bitfetch

#endif  // BITFETCH_BENCH_MODEL_PLACES_H_
