// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_KV_BLOCK_POOL_H_
#define BITFETCH_KV_BLOCK_POOL_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/memory.h"
#include "kv/block_key.h"
#include "kv/prefix_index.h"
#include "kv/store.h"
#include "kv/tile.h"

namespace bitfetch {

// Where new blocks are placed: one after the other, or all over the pool. The second is what a
// cache looks like after many sequences came and went; benchmarks and tests ask for it.
enum class BlockPlacement { kContiguous, kShuffled };

std::string_view BlockPlacementName(BlockPlacement placement);  // "contiguous" or "paged"
Result<BlockPlacement> ParseBlockPlacement(std::string_view text);

// What a pool of KV is made for.
struct KvConfig {
  int layers = 0;
  int kv_heads = 0;
  int head_dim = 0;  // a multiple of 16; of 32 if K or V is quantised
  KvTypes types;
  int64_t limit = 0;  // tokens, over all sequences; rounded up to whole blocks
  PageSize pages = PageSize::kHuge;
  BlockPlacement placement = BlockPlacement::kContiguous;
  size_t l2_budget_bytes = size_t{256}
                           << 10;  // how much Prefetch may request: what a core's L2 has room for
};

// The blocks that sequences share, by number. A block is 16 tokens over all layers and heads, in
// one piece:
//   pool [blocks][layers][layout.block_bytes()]
// so that memory grows page after page, whatever the number of layers. If each layer had memory to
// itself, all would ask the system for another huge page in the same step, and in short contexts
// most of each would lie empty.
//
// A block is held by sequences, by reference count. A full one may be published under its key: then
// the index has a reference too, nobody writes to the block any more, and it stays when nobody
// holds it, idle, until its room is needed. While a published block is held it holds its parent.
//
// Not thread-safe: a pool and its sequences belong to one thread at a time.
class BlockPool {
 public:
  // Takes address space for all blocks; memory comes as blocks are taken. Errors: shapes that no
  // tile takes, an ISA that can't be run, out of address space, out of memory for its tables, 36
  // bytes a block at most. A published block takes some 60 bytes more.
  static Result<std::shared_ptr<BlockPool>> Create(const KvConfig& config);
  // Its errors that no machine would change.
  static Status Check(const KvConfig& config);

  // How many blocks Take has: those that nobody holds, idle ones among them.
  int64_t Available() const;

  // A block that nobody holds, with one reference; its bytes are whatever they were. Idle blocks
  // come last, the one that has been idle longest first. Nothing: every block is held by a
  // sequence. Errors: the system has no more memory. In both cases nothing changed.
  Result<std::optional<uint32_t>> Take();
  void Retain(uint32_t block);
  void Release(uint32_t block);

  // Whether anyone else holds what a sequence holds, so that it must not be written to; and whether
  // that is the index alone.
  bool Shared(uint32_t block) const { return references_[block] > 1; }
  bool SharedWithIndexAlone(uint32_t block) const {
    return references_[block] == 2 && index_.KeyOf(block) != nullptr;
  }

  // Copies a block to another, all layers of it.
  void Copy(uint32_t from, uint32_t to);

  // The published block with this key, with a reference for who asks. Nothing: there is none.
  std::optional<uint32_t> Adopt(const BlockKey& key);
  // Publishes a full block that a sequence holds, behind `parent`, which is published and which it
  // holds, if it is not its first. Returns the block that it holds from now on: another, where one
  // with this key was there before. Nothing: the block is published under another key. Throws
  // std::bad_alloc. In both cases nothing changed.
  std::optional<uint32_t> Publish(const BlockKey& key, uint32_t block,
                                  std::optional<uint32_t> parent);
  // Takes back the publishing of a block that one sequence holds, when Available() is 0: no block
  // that comes after it is published then.
  void Unpublish(uint32_t block);
  const PrefixIndex& index() const { return index_; }

  int layers() const { return layers_; }
  const KvLayout& layout() const { return layout_; }
  uint32_t limit() const { return limit_; }    // blocks
  StoreToken store() const { return store_; }  // how tokens are written to its blocks
  size_t l2_budget_bytes() const { return l2_budget_bytes_; }
  PageSize pages() const { return memory_.pages(); }
  BlockPlacement placement() const {
    return order_.empty() ? BlockPlacement::kContiguous : BlockPlacement::kShuffled;
  }
  // How the blocks of one layer lie, for who reads it: between them are those of other layers.
  BlockPlacement layer_placement() const {
    return layers_ == 1 ? placement() : BlockPlacement::kShuffled;
  }
  const std::byte* arena(int layer) const { return memory_.data() + layer * layout_.block_bytes(); }
  size_t stride_bytes() const { return layers_ * layout_.block_bytes(); }  // of a block
  std::byte* Block(int layer, uint32_t block) {
    return memory_.data() + block * stride_bytes() + layer * layout_.block_bytes();
  }

  size_t MappedBytes() const { return memory_.size(); }  // taken from the system so far

 private:
  BlockPool(const KvConfig& config, StoreToken store, PageBuffer memory);

  KvLayout layout_;
  int layers_;
  uint32_t limit_;
  StoreToken store_;
  size_t l2_budget_bytes_;
  PageBuffer memory_;
  uint32_t fresh_ = 0;                // blocks that were taken at least once: the first of `order_`
  std::vector<uint32_t> order_;       // [limit] how new ones are taken; empty: one after the other
  std::vector<uint32_t> references_;  // [highest block taken so far + 1] of sequences and the index
  std::vector<uint32_t> free_;        // given back, last first
  PrefixIndex index_;
};

}  // namespace bitfetch

#endif  // BITFETCH_KV_BLOCK_POOL_H_
