// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_TIER_DISK_TIER_H_
#define BITFETCH_TIER_DISK_TIER_H_

#include <cstdint>
#include <deque>
#include <list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "kv/kv_cache.h"
#include "tier/block_fetcher.h"
#include "tier/block_writer.h"
#include "tier/disk_store.h"
#include "tier/fetch_allowance.h"

namespace bitfetch {

// The KV cache's blocks on disk, behind those in memory: what a pool publishes is written, and what
// a sequence wants that the pool has not is read, published there, and then adopted as any other.
// Both go on in the background. Never fails a sequence: what can't be read, or not as fast as it is
// computed (FetchAllowance), is computed; what can't be written is said once.
//
// Belongs to the thread of its pool.
class DiskTier {
 public:
  // For KV of the model with this digest, in `pool`. Errors: DiskStore::Open's, a thread that the
  // system refuses.
  static Result<std::unique_ptr<DiskTier>> Open(const std::string& folder, int64_t max_bytes,
                                                const Digest& model,
                                                std::shared_ptr<BlockPool> pool);
  ~DiskTier();  // when all is written
  DiskTier(const DiskTier&) = delete;
  DiskTier& operator=(const DiskTier&) = delete;

  // KvCache::Adopt; what comes next on disk is then on its way. How many tokens the cache holds
  // more.
  int64_t Adopt(KvCache& cache, const BlockKey& root, std::span<const int> tokens);

  // Whether the next block of these tokens is on its way: Adopt will find it soon.
  bool IsComing(const KvCache& cache, const BlockKey& root, std::span<const int> tokens) const;

  // Until something that is on its way has come, or is given up.
  void Wait();

  // How long the engine takes to compute a block of a prompt.
  void SetBlockSeconds(double seconds) { allowance_.SetBlockSeconds(seconds); }

  // What is on its way is left out as far as it has not come: nobody waits for it any more.
  void StopFetching();

  // KvCache::Publish; what is new is written. Costs a copy of it, at the memory's speed.
  void Publish(KvCache& cache, const BlockKey& root, std::span<const int> tokens);

 private:
  // Blocks on their way to the pool. It holds them, and the one that is their parent.
  struct Coming {
    BlockFetcher::Id id = 0;
    std::vector<BlockKey> keys;
    std::vector<uint32_t> blocks;
    std::optional<uint32_t> parent;
    size_t published = 0;
    bool is_given_up = false;
  };

  DiskTier(DiskStore store, const Digest& model, std::shared_ptr<BlockPool> pool)
      : store_(std::move(store)),
        model_(model),
        pool_(std::move(pool)),
        fetcher_(store_, pool_->stride_bytes()),
        writer_(store_) {}

  static std::span<const int> NextBlock(const KvCache& cache, std::span<const int> tokens);
  std::vector<BlockKey> KeysToFetch(const KvCache& cache, const BlockKey& root,
                                    std::span<const int> tokens) const;
  void TakeWhatCame();
  size_t TakeWhatCame(Coming& coming, size_t there);
  void GiveUp();
  void Fetch(std::vector<BlockKey> keys, std::optional<uint32_t> parent);

  DiskStore store_;
  const Digest model_;
  const std::shared_ptr<BlockPool> pool_;
  BlockFetcher fetcher_;
  BlockWriter writer_;
  std::list<Coming> coming_;
  FetchAllowance allowance_;
  std::vector<BlockKey> unreadable_;  // not to be asked for again
  std::deque<BlockName> unwritten_;   // published while the writer had no room
};

}  // namespace bitfetch

#endif  // BITFETCH_TIER_DISK_TIER_H_
