// SPDX-License-Identifier: Apache-2.0
#include "kv/block_pool.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <new>
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

Status BlockPool::Check(const KvConfig& config) {
  if (config.layers < 1 || config.kv_heads < 1) {
    return Fail("a KV cache needs at least one layer and one head, not {} and {}", config.layers,
                config.kv_heads);
  }
  const int step = std::max(KvDimStep(config.types.k), KvDimStep(config.types.v));
  if (config.head_dim < step || config.head_dim % step != 0 || config.head_dim > 4096) {
    return Fail(
        "head_dim {} is not supported by a KV cache of {}: it must be a multiple of {}, at most "
        "4096",
        config.head_dim, KvTypesName(config.types), step);
  }
  if (config.limit < 1) return Fail("a KV cache of {} tokens is not possible", config.limit);
  if (config.limit > int64_t{std::numeric_limits<int32_t>::max()} * kTileTokens) {
    return Fail("a KV cache of {} tokens is larger than any memory", config.limit);
  }
  const KvLayout layout{config.kv_heads, config.head_dim, config.types};
  constexpr auto kMax = std::numeric_limits<int64_t>::max();
  if (BlocksFor(config.limit) > kMax / config.layers / static_cast<int64_t>(layout.block_bytes())) {
    return Fail("a KV cache of {} tokens is larger than any memory", config.limit);
  }
  return {};
}

Result<std::shared_ptr<BlockPool>> BlockPool::Create(const KvConfig& config) {
  BITFETCH_RETURN_IF_ERROR(Check(config));
  BITFETCH_ASSIGN_OR_RETURN(const StoreToken store, ChooseStore());
  const KvLayout layout{config.kv_heads, config.head_dim, config.types};
  const size_t bytes = BlocksFor(config.limit) * config.layers * layout.block_bytes();
  BITFETCH_ASSIGN_OR_RETURN(PageBuffer memory, PageBuffer::Reserve(bytes, config.pages));
  try {
    return std::shared_ptr<BlockPool>(new BlockPool(config, store, std::move(memory)));
  } catch (const std::bad_alloc&) {
    return Fail("out of memory: no tables for a KV cache of {} tokens", config.limit);
  }
}

BlockPool::BlockPool(const KvConfig& config, StoreToken store, PageBuffer memory)
    : layout_{config.kv_heads, config.head_dim, config.types},
      layers_(config.layers),
      limit_(BlocksFor(config.limit)),
      store_(store),
      l2_budget_bytes_(config.l2_budget_bytes),
      memory_(std::move(memory)),
      index_(limit_) {
  if (config.placement == BlockPlacement::kShuffled) order_ = ShuffledOrder(limit_);
  // So that nothing of this can fail when blocks are taken and given back.
  references_.reserve(limit_);
  free_.reserve(limit_);
}

int64_t BlockPool::Available() const {
  return static_cast<int64_t>(free_.size() + (limit_ - fresh_) + index_.idle());
}

Result<std::optional<uint32_t>> BlockPool::Take() {
  uint32_t block = 0;
  if (!free_.empty()) {
    block = free_.back();
    free_.pop_back();
  } else if (fresh_ < limit_) {
    block = order_.empty() ? fresh_ : order_[fresh_];
    BITFETCH_RETURN_IF_ERROR(memory_.Commit((size_t{block} + 1) * stride_bytes()));
    ++fresh_;
    references_.resize(std::max<size_t>(references_.size(), size_t{block} + 1));
  } else if (index_.idle() > 0) {
    block = index_.Evict();
  } else {
    return std::nullopt;
  }
  references_[block] = 1;
  return block;
}

void BlockPool::Retain(uint32_t block) {
  while (references_[block]++ == 1 && index_.KeyOf(block) != nullptr) {
    index_.SetHeld(block);
    const std::optional<uint32_t> parent = index_.ParentOf(block);
    if (!parent) return;
    block = *parent;
  }
}

void BlockPool::Release(uint32_t block) {
  while (--references_[block] == 1 && index_.KeyOf(block) != nullptr) {
    index_.SetIdle(block);
    const std::optional<uint32_t> parent = index_.ParentOf(block);
    if (!parent) return;
    block = *parent;
  }
  if (references_[block] == 0) free_.push_back(block);
}

std::optional<uint32_t> BlockPool::Adopt(const BlockKey& key) {
  const std::optional<uint32_t> block = index_.Find(key);
  if (block) Retain(*block);
  return block;
}

std::optional<uint32_t> BlockPool::Publish(const BlockKey& key, uint32_t block,
                                           std::optional<uint32_t> parent) {
  if (const std::optional<uint32_t> published = Adopt(key)) {
    Release(block);
    return published;
  }
  if (index_.KeyOf(block) != nullptr) return std::nullopt;
  index_.Insert(key, block, parent);
  ++references_[block];
  if (parent) Retain(*parent);
  return block;
}

void BlockPool::Unpublish(uint32_t block) {
  const std::optional<uint32_t> parent = index_.ParentOf(block);
  index_.Erase(block);
  --references_[block];
  if (parent) Release(*parent);
}

void BlockPool::Copy(uint32_t from, uint32_t to) {
  std::memcpy(Block(0, to), Block(0, from), stride_bytes());
}

}  // namespace bitfetch
