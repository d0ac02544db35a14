// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_TIER_REDIS_STORE_H_
#define BITFETCH_TIER_REDIS_STORE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "tier/block_store.h"
#include "tier/redis_server.h"
#include "tier/store_speed.h"

namespace bitfetch {

// Blocks of KV in Redis, a string for each record, named "bitfetch:kv:" and its key in hexadecimal
// digits. Where there are several servers, each key has an order of them (rendezvous hashing,
// Thaler and Ravishankar 1998) and is kept by the first that answers: when one dies its keys alone
// move, and come back with it. What nobody wants for a while goes (RedisAddress::ttl_seconds), and
// what a full Redis drops is computed again.
//
// A store that any number of machines share, and as trusted as they are: whoever may write there
// can change what they answer.
class RedisStore final : public BlockStore {
 public:
  // Whose blocks have so many bytes. Connects when it is first asked for something.
  RedisStore(const std::vector<RedisAddress>& addresses, size_t block_bytes,
             const RedisLimits& limits = {});

  int64_t Count(std::span<const BlockKey> keys) override;
  size_t Ahead(size_t block_bytes) const override;
  Status Read(std::span<const BlockKey> keys, std::span<std::byte* const> to, size_t block_bytes,
              FunctionRef<bool()> arrived) override;
  Status Write(const BlockName& name, std::span<const std::byte> block) override;
  void Touch(std::span<const BlockKey> keys) override;
  int64_t faults() const override;

 private:
  class Call;

  // All of them, the one that shall keep the key first.
  std::vector<RedisServer*> OrderOf(const BlockKey& key) const;

  std::vector<std::unique_ptr<RedisServer>> servers_;
  const RedisLimits limits_;
  mutable std::mutex mutex_;
  StoreSpeed speed_;
};

}  // namespace bitfetch

#endif  // BITFETCH_TIER_REDIS_STORE_H_
