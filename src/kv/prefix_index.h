// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_KV_PREFIX_INDEX_H_
#define BITFETCH_KV_PREFIX_INDEX_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "kv/block_key.h"

namespace bitfetch {

// Which block of a pool has which key, which one comes before it, its parent, and which of those
// that nobody holds is let go first: the one that has been idle longest. A block that is held holds
// its parent (BlockPool sees to it), so a parent becomes idle after its children and goes after
// them.
//
// Belongs to a BlockPool, which knows who holds what. All operations take a constant time.
class PrefixIndex {
 public:
  // For blocks 0 .. limit - 1. Throws std::bad_alloc where there is no memory for its table.
  explicit PrefixIndex(uint32_t limit);

  std::optional<uint32_t> Find(const BlockKey& key) const;
  // nullptr: the block is not in the index.
  const BlockKey* KeyOf(uint32_t block) const {
    return size_t{block} + 1 < entries_.size() ? entries_[size_t{block} + 1].key : nullptr;
  }
  // The parent of a block that is in the index; nothing: it is a sequence's first.
  std::optional<uint32_t> ParentOf(uint32_t block) const;

  size_t size() const { return blocks_.size(); }
  size_t idle() const { return idle_; }  // of them, those that nobody holds

  // A block that is held, and a key, neither of which is in the index; `parent` is, and stays
  // longer. Throws std::bad_alloc; then nothing changed.
  void Insert(const BlockKey& key, uint32_t block, std::optional<uint32_t> parent);
  // A block that is in the index, held and no parent leaves it.
  void Erase(uint32_t block);

  // Nobody holds the block any more; somebody does again.
  void SetIdle(uint32_t block);
  void SetHeld(uint32_t block);

  // Takes the block that has been idle longest out of the index; there is one.
  uint32_t Evict();

 private:
  // A key is random as it is.
  struct FirstBytes {
    size_t operator()(const BlockKey& key) const;
  };
  // Entry b + 1 is that of block b. The idle ones are a ring, which begins and ends at entry 0.
  struct Entry {
    const BlockKey* key = nullptr;  // in `blocks_`
    uint32_t parent = 0;            // entries; 0: none
    uint32_t older = 0;
    uint32_t newer = 0;
  };

  std::unordered_map<BlockKey, uint32_t, FirstBytes> blocks_;
  std::vector<Entry> entries_;  // [highest block inserted so far + 2]
  size_t idle_ = 0;
};

}  // namespace bitfetch

#endif  // BITFETCH_KV_PREFIX_INDEX_H_
