// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_TIER_OPEN_STORE_H_
#define BITFETCH_TIER_OPEN_STORE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "tier/block_store.h"
#include "tier/redis_address.h"

namespace bitfetch {

// Which stores keep KV beyond memory.
struct StoreOptions {
  std::string cache_dir = {};    // a folder (DiskStore); empty: none
  int64_t cache_disk_bytes = 0;  // that it may hold; 0: kDefaultMaxBytes, or half of what is free
  std::vector<RedisAddress> kv_store = {};  // RedisStore; empty: none
};

// For blocks of so many bytes; null: no store is asked for. Where both are, the disk is in front.
// Errors: DiskStore::Open's; the folder has no room for a block, or there is room without a folder.
Result<std::unique_ptr<BlockStore>> OpenStore(const StoreOptions& options, size_t block_bytes);

}  // namespace bitfetch

#endif  // BITFETCH_TIER_OPEN_STORE_H_
