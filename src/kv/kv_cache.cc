// SPDX-License-Identifier: Apache-2.0
#include "kv/kv_cache.h"

#include <algorithm>
#include <new>

namespace bitfetch {

Result<KvCache> KvCache::Open(std::shared_ptr<BlockPool> pool, int64_t limit) {
  if (limit < 1) return Fail("a sequence of {} tokens is not possible", limit);
  const int64_t pool_limit = int64_t{pool->limit()} * kTileTokens;
  if (limit > pool_limit) {
    return Fail("a sequence of {} tokens is larger than the whole KV cache, which holds {}", limit,
                pool_limit);
  }
  return KvCache(std::move(pool), BlocksFor(limit) * kTileTokens);
}

Result<KvCache> KvCache::Create(const KvConfig& config) {
  BITFETCH_ASSIGN_OR_RETURN(std::shared_ptr<BlockPool> pool, BlockPool::Create(config));
  try {
    return Open(std::move(pool), config.limit);
  } catch (const std::bad_alloc&) {
    return Fail("out of memory: no tables for a KV cache of {} tokens", config.limit);
  }
}

KvCache::KvCache(std::shared_ptr<BlockPool> pool, int64_t limit)
    : pool_(std::move(pool)), limit_(limit), lengths_(pool_->layers()) {
  blocks_.reserve(BlocksFor(limit));  // so that growing cannot fail here
}

KvCache& KvCache::operator=(KvCache&& other) noexcept {
  std::swap(pool_, other.pool_);
  std::swap(limit_, other.limit_);
  std::swap(blocks_, other.blocks_);
  std::swap(published_, other.published_);
  std::swap(lengths_, other.lengths_);
  std::swap(traffic_, other.traffic_);
  return *this;
}

KvCache::~KvCache() { KeepBlocks(0); }

void KvCache::KeepBlocks(int64_t count) {
  while (static_cast<int64_t>(blocks_.size()) > count) {
    pool_->Release(blocks_.back());
    blocks_.pop_back();
  }
}

KvCache KvCache::Fork() const {
  KvCache fork(pool_, limit_);
  fork.blocks_.assign(blocks_.begin(), blocks_.begin() + BlocksFor(longest()));
  fork.published_ = published_;
  fork.lengths_ = lengths_;
  for (const uint32_t block : fork.blocks_) pool_->Retain(block);
  return fork;
}

Status KvCache::CheckLayer(int layer) const {
  if (layer < 0 || layer >= layers()) {
    return Fail("layer {} is out of range: the cache has {} layers", layer, layers());
  }
  return {};
}

int64_t KvCache::BlocksToOwn(int64_t begin, int64_t end) const {
  const auto held = static_cast<int64_t>(blocks_.size());
  int64_t needed = std::max<int64_t>(BlocksFor(end) - held, 0);
  for (int64_t i = begin / kTileTokens; i < std::min(held, BlocksFor(end)); ++i) {
    if (pool_->Shared(blocks_[i]) && !pool_->SharedWithIndexAlone(blocks_[i])) ++needed;
  }
  return needed;
}

Result<bool> KvCache::OwnBlocks(int64_t begin, int64_t end) {
  if (BlocksToOwn(begin, end) > pool_->Available()) return false;
  const auto held = static_cast<int64_t>(blocks_.size());
  const auto take = [&]() -> Result<uint32_t> {
    const auto block = pool_->Take();
    if (block) return **block;
    KeepBlocks(held);
    return tl::unexpected(block.error());
  };
  while (static_cast<int64_t>(blocks_.size()) < BlocksFor(end)) {
    BITFETCH_ASSIGN_OR_RETURN(const uint32_t block, take());
    blocks_.push_back(block);
  }
  for (int64_t i = begin / kTileTokens; i < std::min(held, BlocksFor(end)); ++i) {
    if (!pool_->Shared(blocks_[i])) continue;
    // So that a sequence that fills the pool can go back and on. With no idle block left, nothing
    // published comes after one that only we hold.
    if (pool_->SharedWithIndexAlone(blocks_[i]) && pool_->Available() == 0) {
      pool_->Unpublish(blocks_[i]);
      continue;
    }
    BITFETCH_ASSIGN_OR_RETURN(const uint32_t block, take());
    pool_->Copy(blocks_[i], block);
    pool_->Release(blocks_[i]);
    blocks_[i] = block;
  }
  return true;
}

int64_t KvCache::BlocksToAppend(int64_t count) const {
  return count < 1 ? 0 : BlocksToOwn(length(), longest() + count);
}

Result<bool> KvCache::Reserve(int64_t count) {
  BITFETCH_RETURN_IF_ERROR(CheckCount(longest(), count));
  if (count == 0) return true;
  return OwnBlocks(length(), longest() + count);
}

Status KvCache::CheckCount(int64_t begin, int64_t count) const {
  if (count < 0 || count > limit_ - begin) {
    return Fail("cannot store {} more tokens behind {}: the KV cache holds {}", count, begin,
                limit_);
  }
  return {};
}

Status KvCache::Append(int layer, int64_t count, const float* k, const float* v) {
  BITFETCH_RETURN_IF_ERROR(CheckLayer(layer));
  const int64_t begin = lengths_[layer];
  BITFETCH_RETURN_IF_ERROR(CheckCount(begin, count));
  if (count == 0) return {};
  BITFETCH_ASSIGN_OR_RETURN(const bool owned, OwnBlocks(begin, begin + count));
  if (!owned) return Fail("all {} blocks of the KV cache are in use", pool_->limit());

  const KvLayout& layout = pool_->layout();
  const int64_t token_floats = int64_t{layout.kv_heads} * layout.head_dim;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t token = begin + i;
    pool_->store()(layout, static_cast<int>(token % kTileTokens), k + i * token_floats,
                   v + i * token_floats, pool_->Block(layer, blocks_[token / kTileTokens]));
  }
  lengths_[layer] = begin + count;
  traffic_.appended_bytes += count * static_cast<int64_t>(layout.block_bytes()) / kTileTokens;
  return {};
}

bool KvCache::IsPublished() const {
  return length() == longest() && length() == published_ * kTileTokens;
}

const BlockKey& KvCache::LastKey(const BlockKey& root) const {
  return published_ == 0 ? root : PublishedKey(published_ - 1);
}

int64_t KvCache::Adopt(const BlockKey& root, std::span<const int> tokens) {
  if (!IsPublished()) return 0;
  KeepBlocks(published_);
  const int64_t before = length();
  const int64_t full = std::min<int64_t>(tokens.size(), limit_) / kTileTokens;
  for (BlockKey key = LastKey(root); published_ < full; ++published_) {
    key = ChildKey(key, tokens.subspan(published_ * kTileTokens).first<kTileTokens>());
    const std::optional<uint32_t> block = pool_->Adopt(key);
    if (!block) break;
    blocks_.push_back(*block);
  }
  std::ranges::fill(lengths_, published_ * kTileTokens);
  return length() - before;
}

std::vector<BlockKey> KvCache::NextKeys(const BlockKey& root, std::span<const int> tokens) const {
  std::vector<BlockKey> keys;
  if (!IsPublished()) return keys;
  const int64_t full = std::min<int64_t>(tokens.size(), limit_) / kTileTokens;
  for (int64_t i = published_; i < full; ++i) {
    keys.push_back(ChildKey(keys.empty() ? LastKey(root) : keys.back(),
                            tokens.subspan(i * kTileTokens).first<kTileTokens>()));
  }
  return keys;
}

void KvCache::Publish(const BlockKey& root, std::span<const int> tokens) {
  const int64_t full = std::min<int64_t>(tokens.size(), length()) / kTileTokens;
  std::optional<uint32_t> parent;
  if (published_ > 0) parent = blocks_[published_ - 1];
  for (; published_ < full; ++published_) {
    const BlockKey key = ChildKey(parent ? *pool_->index().KeyOf(*parent) : root,
                                  tokens.subspan(published_ * kTileTokens).first<kTileTokens>());
    parent = pool_->Publish(key, blocks_[published_], parent);
    if (!parent) return;
    blocks_[published_] = *parent;
  }
}

void KvCache::Truncate(int64_t length) {
  for (int64_t& held : lengths_) held = std::min(held, std::max<int64_t>(length, 0));
  KeepBlocks(BlocksFor(longest()));
  published_ = std::min(published_, this->length() / kTileTokens);
}

int64_t KvCache::longest() const { return *std::max_element(lengths_.begin(), lengths_.end()); }

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
      pool_->stride_bytes(), pool_->layout().block_bytes(), walk_tiles, pool_->l2_budget_bytes());
}

}  // namespace bitfetch
