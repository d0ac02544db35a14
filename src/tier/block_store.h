// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_TIER_BLOCK_STORE_H_
#define BITFETCH_TIER_BLOCK_STORE_H_

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/error.h"
#include "base/function_ref.h"
#include "tier/block_record.h"

namespace bitfetch {

// Where blocks of KV are kept beyond memory, by their keys. Any thread may count and read; one at a
// time writes and touches. A call may take as long as a disk or a network does, but not for ever.
class BlockStore {
 public:
  virtual ~BlockStore() = default;

  // How many of these keys, from the first on, it has.
  virtual int64_t Count(std::span<const BlockKey> keys) = 0;

  // How many blocks of so many bytes a reader should ask for at once: what the store's latency
  // times its rate holds of them, and one more.
  virtual size_t Ahead(size_t block_bytes) const = 0;

  // Reads blocks to where they belong, one after another, up to the first that it has not or can't
  // say; `arrived` hears of each, and says whether to go on. Errors: what is wrong with the next
  // one's record, which is removed then.
  virtual Status Read(std::span<const BlockKey> keys, std::span<std::byte* const> to,
                      size_t block_bytes, FunctionRef<bool()> arrived) = 0;

  // Keeps a block, unless it is there. Errors: why it can't be kept.
  virtual Status Write(const BlockName& name, std::span<const std::byte> block) = 0;

  // These blocks were wanted now, the last of them first: what a sequence begins with stays
  // longest.
  virtual void Touch(std::span<const BlockKey> keys) = 0;

  // How often it did not answer, or not sensibly, and was taken to have nothing.
  virtual int64_t faults() const { return 0; }
};

}  // namespace bitfetch

#endif  // BITFETCH_TIER_BLOCK_STORE_H_
