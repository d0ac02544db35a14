// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_TIER_KV_TIER_H_
#define BITFETCH_TIER_KV_TIER_H_

#include <atomic>
#include <cstdint>
#include <deque>
#include <list>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/error.h"
#include "kv/kv_cache.h"
#include "tier/block_fetcher.h"
#include "tier/block_store.h"
#include "tier/block_writer.h"
#include "tier/fetch_allowance.h"

namespace bitfetch {

// How far a sequence has asked the store.
class StoreCursor {
 public:
  // Whether to ask for what comes behind so many published blocks: not twice for the same, nor for
  // more where the store had nothing more.
  bool WantsMore(int64_t published);
  void Asked(int64_t published) { asked_ = published; }

 private:
  int64_t asked_ = -1;  // so many blocks were published when it asked last
  bool is_exhausted_ = false;
};

// The KV cache's blocks in a store, behind those in memory: what a pool publishes is written, and
// what a sequence wants that the pool has not is asked for, read, published there, and then adopted
// as any other. All goes on in the background. Never fails a sequence: what can't be read, or not
// as fast as it is computed (FetchAllowance), is computed; what can't be written is said once.
//
// Belongs to the thread of its pool, but for stats().
class KvTier {
 public:
  // For KV of the model with this digest, in `pool`. Errors: a thread that the system refuses.
  static Result<std::unique_ptr<KvTier>> Open(std::unique_ptr<BlockStore> store,
                                              const Digest& model, std::shared_ptr<BlockPool> pool);
  ~KvTier();  // when all is written
  KvTier(const KvTier&) = delete;
  KvTier& operator=(const KvTier&) = delete;

  // KvCache::Adopt; what comes next in the store is then on its way. How many tokens the cache
  // holds more.
  int64_t Adopt(KvCache& cache, const BlockKey& root, std::span<const int> tokens,
                StoreCursor& cursor);

  // Whether the next block of these tokens is on its way, or may be: Adopt will find it soon.
  bool IsComing(const KvCache& cache, const BlockKey& root, std::span<const int> tokens) const;

  // Until something that is on its way has come, or is given up. Costs no processor's time.
  void Wait();

  // How long the engine takes to compute a block of a prompt.
  void SetBlockSeconds(double seconds) {
    allowance_.SetBlockSeconds(seconds);
    fetcher_.SetBlockSeconds(seconds);
    writer_.SetBlockSeconds(seconds);
  }

  // What is on its way is left out as far as it has not come: nobody waits for it any more. What is
  // being read just now holds its blocks until the store has answered.
  void StopFetching();
  // The same, and waits until all blocks are free.
  void EndFetching();

  // KvCache::Publish; what is new is written. Costs a copy of it, at the memory's speed.
  void Publish(KvCache& cache, const BlockKey& root, std::span<const int> tokens);

  struct Stats {
    int64_t queried_tokens = 0;  // that the store was asked for
    int64_t hit_tokens = 0;      // that came from it
    int64_t read_bytes = 0;
    int64_t written_bytes = 0;
    int64_t faults = 0;  // records that were damaged or not written, servers that did not answer
  };
  Stats stats() const;

 private:
  // Blocks that were asked for, and then are on their way to the pool. It holds those, and the one
  // that is their parent.
  struct Coming {
    BlockFetcher::Id id = 0;
    BlockFetcher::State seen = {};
    std::vector<BlockKey> keys;
    std::vector<uint32_t> blocks = {};
    std::optional<uint32_t> parent = {};
    size_t published = 0;
    double waited_for_at = 0;  // seconds, on the clock
    bool is_given_up = false;

    // For an answer, or for blocks; else for who asked, to take what there is.
    bool waits_for_store() const { return !seen.has || !blocks.empty(); }
  };

  KvTier(std::unique_ptr<BlockStore> store, const Digest& model, std::shared_ptr<BlockPool> pool)
      : store_(std::move(store)),
        model_(model),
        pool_(std::move(pool)),
        fetcher_(*store_, pool_->stride_bytes()),
        writer_(*store_) {}

  static std::span<const int> NextBlock(const KvCache& cache, std::span<const int> tokens);
  bool Ask(const KvCache& cache, const BlockKey& root, std::span<const int> tokens,
           StoreCursor& cursor);
  std::list<Coming>::iterator Find(const KvCache& cache, const BlockKey& root,
                                   std::span<const int> tokens) const;
  std::list<Coming>::iterator Drop(std::list<Coming>::iterator coming);
  bool Read(Coming& coming);
  void TakeWhatCame();
  size_t TakeWhatCame(Coming& coming, size_t there);
  void GiveUp();

  const std::unique_ptr<BlockStore> store_;
  const Digest model_;
  const std::shared_ptr<BlockPool> pool_;
  BlockFetcher fetcher_;
  BlockWriter writer_;
  mutable std::list<Coming> coming_;
  FetchAllowance allowance_;
  std::deque<BlockName> unwritten_;  // published while the writer had no room
  std::atomic<int64_t> queried_blocks_ = 0;
  std::atomic<int64_t> hit_blocks_ = 0;
};

}  // namespace bitfetch

#endif  // BITFETCH_TIER_KV_TIER_H_
