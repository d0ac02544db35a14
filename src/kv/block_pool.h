// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_KV_BLOCK_POOL_H_
#define BITFETCH_KV_BLOCK_POOL_H_

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/memory.h"
#include "kv/tile.h"

namespace bitfetch {

// Where new blocks are placed: one after the other, or all over the pool. The second is what a
// cache looks like after many sequences came and went; benchmarks and tests ask for it.
enum class BlockPlacement { kContiguous, kShuffled };

std::string_view BlockPlacementName(BlockPlacement placement);  // "contiguous" or "paged"
Result<BlockPlacement> ParseBlockPlacement(std::string_view text);

// The blocks that sequences share, by number. A block is 16 tokens over all layers and heads, in
// one piece:
//   pool [blocks][layers][layout.block_bytes()]
// so that memory grows page after page, whatever the number of layers. If each layer had memory to
// itself, all would ask the system for another huge page in the same step, and in short contexts
// most of each would lie empty.
//
// Not thread-safe: a pool and its sequences belong to one thread at a time.
class BlockPool {
 public:
  // Takes address space for `limit` blocks; memory comes as blocks are taken. Errors: out of
  // address space. Throws std::bad_alloc where there is no memory for its tables, 12 bytes a block
  // at most.
  static Result<BlockPool> Create(int layers, const KvLayout& layout, uint32_t limit,
                                  PageSize pages, BlockPlacement placement);

  // A block that nobody holds, with one reference. Its bytes are whatever they were. Errors: every
  // block is held, or the system has no more memory; then nothing changed.
  Result<uint32_t> Take();
  void Retain(uint32_t block) { ++references_[block]; }
  void Release(uint32_t block);
  bool Shared(uint32_t block) const { return references_[block] > 1; }

  // Copies a block to another, all layers of it.
  void Copy(uint32_t from, uint32_t to);

  int layers() const { return layers_; }
  const KvLayout& layout() const { return layout_; }
  uint32_t limit() const { return limit_; }
  PageSize pages() const { return memory_.pages(); }
  BlockPlacement placement() const {
    return order_.empty() ? BlockPlacement::kContiguous : BlockPlacement::kShuffled;
  }
  const std::byte* arena(int layer) const { return memory_.data() + layer * layout_.block_bytes(); }
  size_t stride_bytes() const { return layers_ * layout_.block_bytes(); }
  std::byte* Block(int layer, uint32_t block) {
    return memory_.data() + block * stride_bytes() + layer * layout_.block_bytes();
  }

  size_t MappedBytes() const { return memory_.size(); }  // taken from the system so far

 private:
  KvLayout layout_;
  int layers_ = 0;
  uint32_t limit_ = 0;
  uint32_t fresh_ = 0;  // blocks that were taken at least once: the first of `order_`
  PageBuffer memory_;
  std::vector<uint32_t> order_;       // [limit] how new ones are taken; empty: one after the other
  std::vector<uint32_t> references_;  // [highest block taken so far + 1]
  std::vector<uint32_t> free_;        // given back, last first
};

}  // namespace bitfetch

#endif  // BITFETCH_KV_BLOCK_POOL_H_
