// SPDX-License-Identifier: Apache-2.0
#include "kv/kv_cache.h"

#include <algorithm>
#include <limits>
#include <new>

namespace bitfetch {
namespace {

int64_t BlocksFor(int64_t tokens) { return (tokens + kTileTokens - 1) / kTileTokens; }

}  // namespace

Status KvCache::Check(const KvConfig& config) {
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
  const int64_t blocks = BlocksFor(config.limit);
  const KvLayout layout{config.kv_heads, config.head_dim, config.types};
  constexpr auto kMax = std::numeric_limits<int64_t>::max();
  if (blocks > kMax / config.layers / static_cast<int64_t>(layout.block_bytes())) {
    return Fail("a KV cache of {} tokens is larger than any memory", config.limit);
  }
  return {};
}

Result<KvCache> KvCache::Create(const KvConfig& config) {
  BITFETCH_RETURN_IF_ERROR(Check(config));
  const int64_t blocks = BlocksFor(config.limit);
  const KvLayout layout{config.kv_heads, config.head_dim, config.types};
  BITFETCH_ASSIGN_OR_RETURN(const StoreToken store, ChooseStore());
  try {
    BITFETCH_ASSIGN_OR_RETURN(BlockPool pool, BlockPool::Create(config.layers, layout, blocks,
                                                                config.pages, config.placement));
    return KvCache(std::make_shared<BlockPool>(std::move(pool)), store, config.l2_budget_bytes);
  } catch (const std::bad_alloc&) {
    return Fail("out of memory: no tables for a KV cache of {} tokens", config.limit);
  }
}

KvCache::KvCache(std::shared_ptr<BlockPool> pool, StoreToken store, size_t l2_budget_bytes)
    : pool_(std::move(pool)),
      store_(store),
      l2_budget_bytes_(l2_budget_bytes),
      lengths_(pool_->layers()) {
  blocks_.reserve(pool_->limit());  // so that growing cannot fail here
}

KvCache& KvCache::operator=(KvCache&& other) noexcept {
  std::swap(pool_, other.pool_);
  std::swap(store_, other.store_);
  std::swap(l2_budget_bytes_, other.l2_budget_bytes_);
  std::swap(blocks_, other.blocks_);
  std::swap(lengths_, other.lengths_);
  std::swap(traffic_, other.traffic_);
  return *this;
}

KvCache::~KvCache() {
  for (const uint32_t block : blocks_) pool_->Release(block);
}

KvCache KvCache::Fork() const {
  KvCache fork(pool_, store_, l2_budget_bytes_);
  fork.blocks_.assign(blocks_.begin(), blocks_.end());
  fork.lengths_ = lengths_;
  for (const uint32_t block : blocks_) pool_->Retain(block);
  return fork;
}

Status KvCache::CheckLayer(int layer) const {
  if (layer < 0 || layer >= layers()) {
    return Fail("layer {} is out of range: the cache has {} layers", layer, layers());
  }
  return {};
}

Status KvCache::OwnBlocks(int64_t begin, int64_t end) {
  const int64_t first = begin / kTileTokens;
  const size_t held = blocks_.size();
  for (int64_t i = first; i < BlocksFor(end); ++i) {
    const bool is_new = static_cast<size_t>(i) >= blocks_.size();
    if (!is_new && !pool_->Shared(blocks_[i])) continue;
    const Result<uint32_t> block = pool_->Take();
    if (!block) {
      while (blocks_.size() > held) {
        pool_->Release(blocks_.back());
        blocks_.pop_back();
      }
      return tl::unexpected(block.error());
    }
    if (is_new) {
      blocks_.push_back(*block);
      continue;
    }
    pool_->Copy(blocks_[i], *block);
    pool_->Release(blocks_[i]);
    blocks_[i] = *block;
  }
  return {};
}

Status KvCache::Append(int layer, int64_t count, const float* k, const float* v) {
  BITFETCH_RETURN_IF_ERROR(CheckLayer(layer));
  const int64_t begin = lengths_[layer];
  if (count < 0 || count > limit() - begin) {
    return Fail("cannot store {} more tokens behind {}: the KV cache holds {}", count, begin,
                limit());
  }
  if (count == 0) return {};
  BITFETCH_RETURN_IF_ERROR(OwnBlocks(begin, begin + count));

  const KvLayout& layout = pool_->layout();
  const int64_t token_floats = int64_t{layout.kv_heads} * layout.head_dim;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t token = begin + i;
    store_(layout, static_cast<int>(token % kTileTokens), k + i * token_floats,
           v + i * token_floats, pool_->Block(layer, blocks_[token / kTileTokens]));
  }
  lengths_[layer] = begin + count;
  traffic_.appended_bytes += count * static_cast<int64_t>(layout.block_bytes()) / kTileTokens;
  return {};
}

void KvCache::Truncate(int64_t length) {
  for (int64_t& held : lengths_) held = std::min(held, std::max<int64_t>(length, 0));
  const int64_t needed = BlocksFor(*std::max_element(lengths_.begin(), lengths_.end()));
  while (static_cast<int64_t>(blocks_.size()) > needed) {
    pool_->Release(blocks_.back());
    blocks_.pop_back();
  }
}

int64_t KvCache::length() const { return *std::min_element(lengths_.begin(), lengths_.end()); }

Result<KvView> KvCache::View(int layer) const {
  BITFETCH_RETURN_IF_ERROR(CheckLayer(layer));
  return KvView{pool_->layout(), pool_->arena(layer), pool_->stride_bytes(), blocks_.data(),
                lengths_[layer]};
}

Result<size_t> KvCache::Prefetch(int layer, int64_t seq_len) {
  BITFETCH_ASSIGN_OR_RETURN(PrefetchCursor cursor, Cursor(layer, 0, seq_len));
  const size_t bytes = cursor.Fetch(cursor.remaining()) * kCacheLineBytes;
  CountPrefetched(static_cast<int64_t>(bytes));
  return bytes;
}

Result<PrefetchCursor> KvCache::Cursor(int layer, int64_t begin, int64_t end,
                                       int walk_tiles) const {
  BITFETCH_RETURN_IF_ERROR(CheckLayer(layer));
  const int64_t last = std::clamp<int64_t>(end, 0, lengths_[layer]);
  const int64_t first = BlocksFor(std::clamp<int64_t>(begin, 0, last));
  return PrefetchCursor(
      pool_->arena(layer), std::span(blocks_).subspan(first, BlocksFor(last) - first),
      pool_->stride_bytes(), pool_->layout().block_bytes(), walk_tiles, l2_budget_bytes_);
}

}  // namespace bitfetch
