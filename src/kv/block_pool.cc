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

Result<BlockPool> BlockPool::Create(int layers, const KvLayout& layout, uint32_t limit,
                                    PageSize pages, BlockPlacement placement) {
  BlockPool pool;
  pool.layout_ = layout;
  pool.limit_ = limit;
  pool.pages_ = pages;
  for (int layer = 0; layer < layers; ++layer) {
    BITFETCH_ASSIGN_OR_RETURN(PageBuffer arena,
                              PageBuffer::Reserve(limit * layout.block_bytes(), pages));
    pool.arenas_.push_back(std::move(arena));
  }
  if (placement == BlockPlacement::kShuffled) pool.order_ = ShuffledOrder(limit);
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
    for (PageBuffer& arena : arenas_) {
      BITFETCH_RETURN_IF_ERROR(arena.Commit((size_t{block} + 1) * layout_.block_bytes()));
    }
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
  for (int layer = 0; layer < layers(); ++layer) {
    std::memcpy(Block(layer, to), Block(layer, from), layout_.block_bytes());
  }
}

size_t BlockPool::MappedBytes() const {
  return std::accumulate(arenas_.begin(), arenas_.end(), size_t{0},
                         [](size_t sum, const PageBuffer& arena) { return sum + arena.size(); });
}

size_t BlockPool::HugeBytes() const {
  return std::accumulate(
      arenas_.begin(), arenas_.end(), size_t{0},
      [](size_t sum, const PageBuffer& arena) { return sum + arena.HugeBytes(); });
}

}  // namespace bitfetch
