// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_KV_BLOCK_POOL_H_
#define BITFETCH_KV_BLOCK_POOL_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/error.h"
#include "base/memory.h"
#include "kv/tile.h"

namespace bitfetch {

// Where new blocks are placed: one after the other, or all over the arena. The second is what a
// cache looks like after many sequences came and went; benchmarks and tests ask for it.
enum class BlockPlacement { kContiguous, kShuffled };

// The blocks that sequences share. A block is 16 tokens over all layers and heads: one id, and in
// the arena of each layer `layout.block_bytes()` at that index. Not thread-safe: a pool and its
// sequences belong to one thread at a time.
class BlockPool {
 public:
  // Takes address space for `limit` blocks in each layer; memory comes as blocks are taken. Errors:
  // out of address space.
  static Result<BlockPool> Create(int layers, const KvLayout& layout, uint32_t limit,
                                  PageSize pages, BlockPlacement placement);

  // A block that nobody holds, with one reference. Its bytes are whatever they were. Errors: every
  // block is held, or the system has no more memory; then nothing changed.
  Result<uint32_t> Take();
  void Retain(uint32_t block) { ++references_[block]; }
  void Release(uint32_t block);
  bool Shared(uint32_t block) const { return references_[block] > 1; }

  // Copies a block to another, layer by layer.
  void Copy(uint32_t from, uint32_t to);

  int layers() const { return static_cast<int>(arenas_.size()); }
  const KvLayout& layout() const { return layout_; }
  uint32_t limit() const { return limit_; }
  PageSize pages() const { return pages_; }
  const std::byte* arena(int layer) const { return arenas_[layer].data(); }
  std::byte* Block(int layer, uint32_t block) {
    return arenas_[layer].data() + block * layout_.block_bytes();
  }

  size_t MappedBytes() const;  // memory taken from the system so far
  size_t HugeBytes() const;  // how much of what was touched sits on huge pages; costs milliseconds

 private:
  KvLayout layout_;
  uint32_t limit_ = 0;
  PageSize pages_ = PageSize::kHuge;
  uint32_t fresh_ = 0;              // blocks that were taken at least once: the first of `order_`
  std::vector<PageBuffer> arenas_;  // [layers]
  std::vector<uint32_t>
      order_;  // [limit] in which places blocks are taken; empty when one after the other
  std::vector<uint32_t> references_;  // [highest block taken so far + 1]
  std::vector<uint32_t> free_;        // given back, last first
};

}  // namespace bitfetch

#endif  // BITFETCH_KV_BLOCK_POOL_H_
