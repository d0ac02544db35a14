// SPDX-License-Identifier: Apache-2.0
#include "kv/block_pool.h"

#include <algorithm>
#include <cstring>
#include <numeric>

namespace bitfetch {
namespace {

// A fixed permutation: the same places on every machine and in every run (Fisher-Yates over
// splitmix64).
std::vector<uint32_t> ShuffledOrder(uint32_t count) {
  std::vector<uint32_t> order(count);
  std::iota(order.begin(), order.end(), 0u);
  uint64_t state = count;
  for (uint32_t i = count; i > 1; --i) {
    uint64_t z = (state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    std::swap(order[i - 1], order[(z ^ (z >> 31)) % i]);
  }
  return order;
}

}  // namespace

std::string_view BlockPlacementName(BlockPlacement placement) {
  return placement == BlockPlacement::kContiguous ? "contiguous" : "paged";
}

Result<BlockPlacement> ParseBlockPlacement(std::string_view text) {
  for (const auto placement : {BlockPlacement::kContiguous, BlockPlacement::kShuffled}) {
    if (text == BlockPlacementName(placement)) return placement;
  }
  return Fail("'{}' is not known: wanted contiguous or paged", text);
}

Result<BlockPool> BlockPool::Create(int layers, const KvLayout& layout, uint32_t limit,
                                    PageSize pages, BlockPlacement placement) {
  BlockPool pool;
  pool.layout_ = layout;
  pool.layers_ = layers;
  pool.limit_ = limit;
  BITFETCH_ASSIGN_OR_RETURN(pool.memory_, PageBuffer::Reserve(limit * pool.stride_bytes(), pages));
  if (placement == BlockPlacement::kShuffled) pool.order_ = ShuffledOrder(limit);
  // So that nothing of this can fail when blocks are taken and given back.
  pool.references_.reserve(limit);
  pool.free_.reserve(limit);
  return pool;
}

Result<uint32_t> BlockPool::Take() {
  uint32_t block = 0;
  if (!free_.empty()) {
    block = free_.back();
    free_.pop_back();
  } else {
    if (fresh_ == limit_) return Fail("all {} blocks of the KV cache are in use", limit_);
    block = order_.empty() ? fresh_ : order_[fresh_];
    BITFETCH_RETURN_IF_ERROR(memory_.Commit((size_t{block} + 1) * stride_bytes()));
    ++fresh_;
    references_.resize(std::max<size_t>(references_.size(), size_t{block} + 1));
  }
  references_[block] = 1;
  return block;
}

void BlockPool::Release(uint32_t block) {
  if (--references_[block] == 0) free_.push_back(block);
}

void BlockPool::Copy(uint32_t from, uint32_t to) {
  std::memcpy(Block(0, to), Block(0, from), stride_bytes());
}

}  // namespace bitfetch
