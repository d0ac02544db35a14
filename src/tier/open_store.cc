// SPDX-License-Identifier: Apache-2.0
#include "tier/open_store.h"

#include <utility>

#include "tier/disk_store.h"
#include "tier/redis_store.h"
#include "tier/store_pair.h"

namespace bitfetch {

Result<std::unique_ptr<BlockStore>> OpenStore(const StoreOptions& options, size_t block_bytes) {
  std::unique_ptr<BlockStore> disk, redis;
  if (options.cache_dir.empty() && options.cache_disk_bytes != 0) {
    return Fail("room for KV on disk is given (cache-disk), and no folder for it (cache-dir)");
  }
  if (!options.cache_dir.empty()) {
    const int64_t least = DiskStore::BytesOnDisk(block_bytes);
    if (options.cache_disk_bytes != 0 && options.cache_disk_bytes < least) {
      return Fail("{}: {} bytes have no room for a block of this model's KV, which takes {}",
                  options.cache_dir, options.cache_disk_bytes, least);
    }
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
