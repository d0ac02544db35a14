// SPDX-License-Identifier: Apache-2.0
#include "tier/disk_tier.h"

#include <algorithm>
#include <system_error>

#include "machine/clock.h"

namespace bitfetch {
namespace {

constexpr double kShortestWait = 0.001;  // seconds

}  // namespace

Result<std::unique_ptr<DiskTier>> DiskTier::Open(const std::string& folder, int64_t max_bytes,
                                                 const Digest& model,
                                                 std::shared_ptr<BlockPool> pool) {
  BITFETCH_ASSIGN_OR_RETURN(DiskStore store, DiskStore::Open(folder, max_bytes));
  try {
    return std::unique_ptr<DiskTier>(new DiskTier(std::move(store), model, std::move(pool)));
  } catch (const std::system_error&) {
    return Fail("{}: the system refuses the threads that read and write there", folder);
  }
}

DiskTier::~DiskTier() {
  StopFetching();
  for (const BlockName& name : unwritten_) {
    if (const std::optional<uint32_t> block = pool_->index().Find(name.key)) {
      writer_.Take(name, {pool_->Block(0, *block), pool_->stride_bytes()});
    }
  }
}

int64_t DiskTier::Adopt(KvCache& cache, const BlockKey& root, std::span<const int> tokens) {
  TakeWhatCame();
  const int64_t adopted = cache.Adopt(root, tokens);
  if (IsComing(cache, root, tokens)) return adopted;
  if (std::vector<BlockKey> keys = KeysToFetch(cache, root, tokens); !keys.empty()) {
    std::optional<uint32_t> parent;
    if (cache.published() > 0) parent = pool_->Adopt(cache.PublishedKey(cache.published() - 1));
    Fetch(std::move(keys), parent);
  } else if (adopted > 0) {  // the last that comes: all of it was wanted
    for (int64_t i = 0; i < cache.published(); ++i) keys.push_back(cache.PublishedKey(i));
    store_.Touch(keys);
  }
  return adopted;
}

// The tokens up to the end of the next block.
std::span<const int> DiskTier::NextBlock(const KvCache& cache, std::span<const int> tokens) {
  const auto end = static_cast<size_t>((cache.published() + 1) * kTileTokens);
  return tokens.first(std::min(tokens.size(), end));
}

std::vector<BlockKey> DiskTier::KeysToFetch(const KvCache& cache, const BlockKey& root,
                                            std::span<const int> tokens) const {
  if (!allowance_.MayBegin(NowNs() * 1e-9)) return {};
  // Mostly there is none, and a long prompt has thousands behind it.
  if (store_.Count(cache.NextKeys(root, NextBlock(cache, tokens))) == 0) return {};
  std::vector<BlockKey> keys = cache.NextKeys(root, tokens);
  keys.resize(std::ranges::find_first_of(keys, unreadable_) - keys.begin());
  keys.resize(store_.Count(keys));
  return keys;
}

void DiskTier::Fetch(std::vector<BlockKey> keys, std::optional<uint32_t> parent) {
  Coming coming;
  coming.parent = parent;
  BlockFetch fetch;
  // Half of what can be had, so that others don't run out of blocks over what nobody uses yet.
  const auto max = static_cast<size_t>((pool_->Available() + 1) / 2);
  for (size_t i = 0; i < std::min(keys.size(), max); ++i) {
    const auto block = pool_->Take();
    if (!block || !*block) break;
    coming.blocks.push_back(**block);
    fetch.to.push_back(pool_->Block(0, **block));
  }
  keys.resize(coming.blocks.size());
  coming.keys = keys;
  fetch.keys = std::move(keys);
  if (coming_.empty()) allowance_.Begin(NowNs() * 1e-9);
  coming.id = fetcher_.Begin(std::move(fetch));
  coming_.push_back(std::move(coming));
}

void DiskTier::TakeWhatCame() {
  const double now = NowNs() * 1e-9;
  size_t arrived = 0;
  for (auto coming = coming_.begin(); coming != coming_.end();) {
    const BlockFetcher::State state = fetcher_.Look(coming->id);
    arrived += TakeWhatCame(*coming, state.there);
    if (!state.is_over) {
      ++coming;
      continue;
    }
    if (state.is_unreadable) unreadable_.push_back(coming->keys[coming->published]);
    for (size_t i = coming->published; i < coming->blocks.size(); ++i) {
      pool_->Release(coming->blocks[i]);
    }
    if (coming->parent) pool_->Release(*coming->parent);
    fetcher_.Forget(coming->id);
    coming = coming_.erase(coming);
  }
  if (arrived > 0) allowance_.Arrived(now, static_cast<double>(arrived));
  if (!coming_.empty() && now > allowance_.until()) GiveUp();
}

// The first `there` blocks; how many of them are new.
size_t DiskTier::TakeWhatCame(Coming& coming, size_t there) {
  const size_t before = coming.published;
  for (size_t& i = coming.published; i < there; ++i) {
    const std::optional<uint32_t> block =
        pool_->Publish(coming.keys[i], coming.blocks[i], coming.parent);
    if (coming.parent) pool_->Release(*coming.parent);
    coming.parent = block;
  }
  return there - before;
}

// What is being read just now nobody waits for; its blocks are free when it is over.
void DiskTier::GiveUp() {
  allowance_.GiveUp(NowNs() * 1e-9);
  for (Coming& coming : coming_) {
    coming.is_given_up = true;
    fetcher_.Stop(coming.id);
  }
}

bool DiskTier::IsComing(const KvCache& cache, const BlockKey& root,
                        std::span<const int> tokens) const {
  if (coming_.empty()) return false;
  const std::vector<BlockKey> keys = cache.NextKeys(root, NextBlock(cache, tokens));
  return !keys.empty() && std::ranges::any_of(coming_, [&](const Coming& coming) {
    return !coming.is_given_up &&
           std::find(coming.keys.begin() + static_cast<int64_t>(coming.published),
                     coming.keys.end(), keys.front()) != coming.keys.end();
  });
}

void DiskTier::Wait() {
  if (!coming_.empty()) {
    const double left = allowance_.until() - NowNs() * 1e-9;
    fetcher_.Wait(coming_.front().id, coming_.front().published, std::max(left, kShortestWait));
  }
  TakeWhatCame();
}

void DiskTier::StopFetching() {
  for (const Coming& coming : coming_) fetcher_.Stop(coming.id);
  while (!coming_.empty()) Wait();
}

void DiskTier::Publish(KvCache& cache, const BlockKey& root, std::span<const int> tokens) {
  int64_t i = cache.published();
  cache.Publish(root, tokens);
  for (; i < cache.published(); ++i) {
    BlockName name{.key = cache.PublishedKey(i),
                   .parent = i == 0 ? root : cache.PublishedKey(i - 1),
                   .model = model_,
                   .types = pool_->layout().types};
    std::ranges::copy(tokens.subspan(i * kTileTokens, kTileTokens), name.tokens.begin());
    unwritten_.push_back(name);
  }
  while (!unwritten_.empty()) {
    const std::optional<uint32_t> block = pool_->index().Find(unwritten_.front().key);
    if (block &&
        !writer_.Offer(unwritten_.front(), {pool_->Block(0, *block), pool_->stride_bytes()})) {
      break;
    }
    unwritten_.pop_front();
  }
}

}  // namespace bitfetch
