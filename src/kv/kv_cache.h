// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_KV_KV_CACHE_H_
#define BITFETCH_KV_KV_CACHE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/error.h"
#include "base/memory.h"
#include "kv/block_pool.h"
#include "kv/store.h"
#include "kv/tile.h"
#include "prefetch/cursor.h"

namespace bitfetch {

struct KvConfig {
  int layers = 0;
  int kv_heads = 0;
  int head_dim = 0;  // a multiple of 16; of 32 if K or V is quantised
  KvTypes types;
  int64_t limit = 0;  // tokens, over this sequence and all its forks; rounded up to whole blocks
  PageSize pages = PageSize::kHuge;
  BlockPlacement placement = BlockPlacement::kContiguous;
  size_t l2_budget_bytes = size_t{256}
                           << 10;  // how much Prefetch may request: what a core's L2 has room for
};

// What Prefetch may fill of an L2 of so many bytes: the rest is for what computes meanwhile.
constexpr size_t PrefetchBudget(int64_t l2_bytes) { return static_cast<size_t>(l2_bytes) / 4; }

// What went through one sequence so far. What attention reads, it counts itself
// (KvView::read_bytes).
struct KvTraffic {
  int64_t appended_bytes = 0;    // as they are stored
  int64_t prefetched_bytes = 0;  // requested by Prefetch and from cursors
};

// The keys and values of one sequence of tokens, in tiles (kv/tile.h) that attention reads in
// address order. Forks share blocks until one of them writes. Growing never copies what is there.
//
// Threads: a cache and its forks share their blocks, so all of them together belong to one thread
// at a time; threads that append to one sequence, or to one and its fork, must take turns (a
// mutex). While nobody changes the cache, any number of threads may read views.
class KvCache {
 public:
  // Errors: shapes that no tile takes, out of address space or memory, an ISA that can't be run.
  // Costs some system calls; memory comes with the tokens.
  static Result<KvCache> Create(const KvConfig& config);
  // Its errors that no machine would change.
  static Status Check(const KvConfig& config);

  KvCache(KvCache&&) = default;
  KvCache& operator=(KvCache&& other) noexcept;
  ~KvCache();

  // Another sequence with the same content. Costs a copy of the block table: some microseconds for
  // 100K tokens. The first of the two that writes to a block they share, which can only be the one
  // with the end of the sequence, copies that block, all layers at once: as much memory as 16
  // tokens take. Throws std::bad_alloc where there is no memory for the table.
  KvCache Fork() const;

  // Stores `count` tokens behind what `layer` holds; k and v: [count][kv_heads][head_dim]. Errors:
  // the layer is out of range, the limit is reached, out of memory; then nothing is stored and
  // nothing is lost. Each layer has its own length, since a forward pass reaches them one after the
  // other.
  Status Append(int layer, int64_t count, const float* k, const float* v);

  // Forgets all but the first `length` tokens of every layer. Costs a few instructions a block.
  void Truncate(int64_t length);
  void Clear() { Truncate(0); }

  // Tokens that every layer holds, and that one layer holds.
  int64_t length() const;
  int64_t length(int layer) const { return lengths_[layer]; }

  // What the layer holds, for kernels to read. Errors: the layer is out of range.
  Result<KvView> View(int layer) const;

  // Requests the first bytes that attention over the first `seq_len` tokens of `layer` will read,
  // in its order, as far as they fit in the L2 budget, and returns how many. `seq_len` past what is
  // stored is cut to what is stored; 0 does nothing. Errors: the layer is out of range.
  Result<size_t> Prefetch(int layer, int64_t seq_len);

  // The same for tokens [begin, end), which a thread will read, a few lines at a time: the thread
  // fetches from the cursor between its own steps, and whoever owns the cache counts afterwards
  // what it did. `begin` is a multiple of 16; what is not stored is left out. Attention walks
  // `walk_tiles` blocks side by side. Valid until the next change of the cache.
  Result<PrefetchCursor> Cursor(int layer, int64_t begin, int64_t end,
                                int walk_tiles = kChunkTiles) const;
  void CountPrefetched(int64_t bytes) { traffic_.prefetched_bytes += bytes; }

  const KvTraffic& traffic() const { return traffic_; }

  int layers() const { return static_cast<int>(lengths_.size()); }
  Status CheckLayer(int layer) const;  // an error if it is out of range
  // How the blocks of one layer lie, for who reads it: between them are those of other layers.
  BlockPlacement layer_placement() const {
    return layers() == 1 ? pool_->placement() : BlockPlacement::kShuffled;
  }
  PageSize pages() const { return pool_->pages(); }
  int64_t limit() const { return int64_t{pool_->limit()} * kTileTokens; }

  // Memory taken from the system, by this sequence and its forks together.
  size_t MappedBytes() const { return pool_->MappedBytes(); }

 private:
  KvCache(std::shared_ptr<BlockPool> pool, StoreToken store, size_t l2_budget_bytes);

  // Gives this sequence blocks of its own for tokens [begin, end).
  Status OwnBlocks(int64_t begin, int64_t end);

  std::shared_ptr<BlockPool> pool_;
  StoreToken store_;
  size_t l2_budget_bytes_;
  std::vector<uint32_t> blocks_;  // the block table: [ceil(longest layer / 16)]
  std::vector<int64_t> lengths_;  // [layers] tokens
  KvTraffic traffic_;
};

}  // namespace bitfetch

#endif  // BITFETCH_KV_KV_CACHE_H_
