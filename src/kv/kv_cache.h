// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_KV_KV_CACHE_H_
#define BITFETCH_KV_KV_CACHE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/error.h"
#include "base/memory.h"
#include "kv/block_key.h"
#include "kv/block_pool.h"
#include "kv/tile.h"
#include "prefetch/cursor.h"

namespace bitfetch {

// What Prefetch may fill of an L2 of so many bytes: the rest is for what computes meanwhile.
constexpr size_t PrefetchBudget(int64_t l2_bytes) { return static_cast<size_t>(l2_bytes) / 4; }

// What went through one sequence so far. What attention reads, it counts itself
// (KvView::read_bytes).
struct KvTraffic {
  int64_t appended_bytes = 0;    // as they are stored
  int64_t prefetched_bytes = 0;  // requested by Prefetch and from cursors
};

// The keys and values of one sequence of tokens, in tiles (kv/tile.h) that attention reads in
// address order. Its blocks come from a pool. Forks, and sequences that begin with the same tokens,
// share blocks until one of them writes. Growing never copies what is there.
//
// Threads: caches of one pool share its blocks, so all of them together belong to one thread at a
// time; threads that append to one sequence, or to two of one pool, must take turns (a mutex).
// While nobody changes the cache, any number of threads may read views.
class KvCache {
 public:
  // An empty sequence of at most `limit` tokens (rounded up to whole blocks). Costs a microsecond,
  // and 4 bytes for 16 tokens of `limit`. Errors: a limit that is not positive or that the whole
  // pool could not hold. Throws std::bad_alloc.
  static Result<KvCache> Open(std::shared_ptr<BlockPool> pool, int64_t limit);

  // One that may fill a pool of its own, which it shares with its forks. Costs some system calls;
  // memory comes with the tokens. Errors: Open's and BlockPool::Create's.
  static Result<KvCache> Create(const KvConfig& config);

  KvCache(KvCache&&) = default;
  KvCache& operator=(KvCache&& other) noexcept;
  ~KvCache();

  // Another sequence with the same content. Costs a copy of the block table: some microseconds for
  // 100K tokens. The first of the two that writes to a block they share, which can only be the one
  // with the end of the sequence, copies that block, all layers at once: as much memory as 16
  // tokens take. Throws std::bad_alloc where there is no memory for the table.
  KvCache Fork() const;

  // How many of the pool's available blocks it takes to append `count` tokens to every layer: new
  // ones, and one for the copy of a last block that another sequence holds too.
  int64_t BlocksToAppend(int64_t count) const;

  // Takes them, so that appending `count` tokens to every layer cannot fail, unless a fork is made
  // before. False: the pool has not so many now. Errors: the limit, out of memory. In both cases
  // nothing changed. Truncating gives back what is not used.
  Result<bool> Reserve(int64_t count);

  // Stores `count` tokens behind what `layer` holds; k and v: [count][kv_heads][head_dim]. Errors:
  // the layer is out of range, the limit is reached, every block of the pool is in use, out of
  // memory; then nothing is stored and nothing is lost. Each layer has its own length, since a
  // forward pass reaches them one after the other.
  Status Append(int layer, int64_t count, const float* k, const float* v);

  // Goes on from what the cache holds, nothing or published blocks only, with the published blocks
  // of the tokens that follow, as many as there are; returns how many tokens it holds more.
  // `tokens` are all of the sequence, from the first; `root` is its RootKey. At most one key is
  // computed in vain.
  int64_t Adopt(const BlockKey& root, std::span<const int> tokens);

  // The keys of the blocks that Adopt would go on with, as far as `tokens` reach. Costs a key each.
  std::vector<BlockKey> NextKeys(const BlockKey& root, std::span<const int> tokens) const;

  // Publishes the full blocks of the sequence that are not yet, for others to adopt. `tokens` are
  // all that it holds or more. Where another sequence has published the same before, its blocks
  // take the place of this one's, and hold the same bytes. Costs a key and a look-up for each block
  // that is new. Throws std::bad_alloc; what was published until then is.
  void Publish(const BlockKey& root, std::span<const int> tokens);

  // How many blocks are published, from the first on; the key of one of them, and its bytes
  // [pool()->stride_bytes()].
  int64_t published() const { return published_; }
  const BlockKey& PublishedKey(int64_t block) const {
    return *pool_->index().KeyOf(blocks_[block]);
  }
  std::span<const std::byte> PublishedBytes(int64_t block) const {
    return {pool_->Block(0, blocks_[block]), pool_->stride_bytes()};
  }

  // Forgets all but the first `length` tokens of every layer. Costs a few instructions a block.
  // What was published stays so.
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
  BlockPlacement layer_placement() const { return pool_->layer_placement(); }
  PageSize pages() const { return pool_->pages(); }
  int64_t limit() const { return limit_; }
  const std::shared_ptr<BlockPool>& pool() const { return pool_; }

  // Memory taken from the system, by all sequences of the pool.
  size_t MappedBytes() const { return pool_->MappedBytes(); }

 private:
  KvCache(std::shared_ptr<BlockPool> pool, int64_t limit);

  int64_t longest() const;  // tokens, of the layer that holds most

  // An error if behind `begin` there are no `count` tokens to the limit.
  Status CheckCount(int64_t begin, int64_t count) const;
  // How many blocks of the pool OwnBlocks needs.
  int64_t BlocksToOwn(int64_t begin, int64_t end) const;
  // Gives this sequence blocks of its own for tokens [begin, end). False: the pool has not so many.
  Result<bool> OwnBlocks(int64_t begin, int64_t end);
  // Lets go of all but the first `count` blocks.
  void KeepBlocks(int64_t count);
  // Whether it holds nothing that is not published.
  bool IsPublished() const;
  // The key of the last published block, or the root.
  const BlockKey& LastKey(const BlockKey& root) const;

  std::shared_ptr<BlockPool> pool_;
  int64_t limit_;
  std::vector<uint32_t> blocks_;  // the block table: [ceil(longest layer / 16) + reserved]
  int64_t published_ = 0;         // so many of them, from the first, are in the index
  std::vector<int64_t> lengths_;  // [layers] tokens
  KvTraffic traffic_;
};

}  // namespace bitfetch

#endif  // BITFETCH_KV_KV_CACHE_H_
