// SPDX-License-Identifier: Apache-2.0
#include "tier/open_store.h"

#include <utility>

#include "tier/disk_store.h"
#include "tier/redis_store.h"
#include "tier/store_pair.h"

namespace bitfetch {

Result<std::unique_ptr<BlockStore>> OpenStore(const StoreOptions& options, size_t block_bytes) {
  std::unique_ptr<BlockStore> disk, redis;
  if (!options.cache_dir.empty()) {
    BITFETCH_ASSIGN_OR_RETURN(DiskStore store,
                              DiskStore::Open(options.cache_dir, options.cache_disk_bytes));
    disk = std::make_unique<DiskStore>(std::move(store));
  }
  if (!options.kv_store.empty()) {
    redis = std::make_unique<RedisStore>(options.kv_store, block_bytes);
  }
  if (disk && redis) return std::make_unique<StorePair>(std::move(disk), std::move(redis));
  return disk ? std::move(disk) : std::move(redis);
}

}  // namespace bitfetch
