// SPDX-License-Identifier: Apache-2.0
#include "tier/kv_tier.h"

#include <algorithm>
#include <iterator>
#include <system_error>

#include "machine/clock.h"

namespace bitfetch {
namespace {

constexpr double kShortestWait = 0.001;  // seconds
// So long what the store has may wait for who asked for it, and may be gone.
constexpr double kMaxUnclaimed = 5;  // seconds

}  // namespace

bool StoreCursor::WantsMore(int64_t published) {
  if (published < asked_) *this = {};  // the sequence was cut
  if (published == asked_) is_exhausted_ = true;
  return !is_exhausted_;
}

Result<std::unique_ptr<KvTier>> KvTier::Open(std::unique_ptr<BlockStore> store, const Digest& model,
                                             std::shared_ptr<BlockPool> pool) {
  try {
    return std::unique_ptr<KvTier>(new KvTier(std::move(store), model, std::move(pool)));
  } catch (const std::system_error&) {
    return Fail("the system refuses the threads that fetch and write KV");
  }
}

KvTier::~KvTier() {
  EndFetching();
  for (const BlockName& name : unwritten_) {
    if (const std::optional<uint32_t> block = pool_->index().Find(name.key)) {
      writer_.Take(name, {pool_->Block(0, *block), pool_->stride_bytes()});
    }
  }
}

int64_t KvTier::Adopt(KvCache& cache, const BlockKey& root, std::span<const int> tokens,
                      StoreCursor& cursor) {
  TakeWhatCame();
  const int64_t adopted = cache.Adopt(root, tokens);
  if (const auto coming = Find(cache, root, tokens); coming != coming_.end()) {
    if (coming->waits_for_store() || Read(*coming)) return adopted;
    Drop(coming);
  } else if (Ask(cache, root, tokens, cursor)) {
    return adopted;
  }
  if (adopted > 0) {  // the last that comes: all of it was wanted
    std::vector<BlockKey> keys;
    for (int64_t i = 0; i < cache.published(); ++i) keys.push_back(cache.PublishedKey(i));
    writer_.Touch(std::move(keys));
  }
  return adopted;
}

// The tokens up to the end of the next block.
std::span<const int> KvTier::NextBlock(const KvCache& cache, std::span<const int> tokens) {
  const auto end = static_cast<size_t>((cache.published() + 1) * kTileTokens);
  return tokens.first(std::min(tokens.size(), end));
}

// Whether there is something to ask for.
bool KvTier::Ask(const KvCache& cache, const BlockKey& root, std::span<const int> tokens,
                 StoreCursor& cursor) {
  const int64_t published = cache.published();
  if (NextBlock(cache, tokens).size() < static_cast<size_t>((published + 1) * kTileTokens) ||
      !cursor.WantsMore(published) || !allowance_.MayBegin(NowNs() * 1e-9)) {
    return false;
  }
  Coming coming{.keys = cache.NextKeys(root, tokens), .waited_for_at = NowNs() * 1e-9};
  if (coming.keys.empty()) return false;  // what it holds is not published
  if (published > 0) coming.parent = pool_->Adopt(cache.PublishedKey(published - 1));
  allowance_.Begin(NowNs() * 1e-9);
  cursor.Asked(published);
  queried_blocks_ += std::ssize(coming.keys);
  coming.id = fetcher_.Ask(coming.keys);
  coming_.push_back(std::move(coming));
  return true;
}

// What the store has of it. Only who wants it takes blocks for it, when it asks for room: whoever
// just counted what is free must find it so. False: it is computed sooner, or there is no room.
bool KvTier::Read(Coming& coming) {
  coming.keys.resize(*coming.seen.has);
  if (!allowance_.Pays(coming.seen.asked_seconds, static_cast<double>(coming.keys.size()))) {
    return false;
  }
  std::vector<std::byte*> to;
  // Half of what can be had, so that others don't run out of blocks over what nobody uses yet.
  const auto max = static_cast<size_t>((pool_->Available() + 1) / 2);
  while (to.size() < std::min(coming.keys.size(), max)) {
    const auto block = pool_->Take();
    if (!block || !*block) break;
    coming.blocks.push_back(**block);
    to.push_back(pool_->Block(0, **block));
  }
  coming.keys.resize(to.size());
  if (to.empty()) return false;
  allowance_.Begin(NowNs() * 1e-9);  // who looks late takes no time from the store
  fetcher_.Read(coming.id, std::move(to));
  return true;
}

void KvTier::TakeWhatCame() {
  const double now = NowNs() * 1e-9;
  size_t arrived = 0;
  for (auto coming = coming_.begin(); coming != coming_.end();) {
    coming->seen = fetcher_.Look(coming->id);
    arrived += TakeWhatCame(*coming, coming->seen.there);
    if (coming->waits_for_store()) coming->waited_for_at = now;
    const bool is_left = now > coming->waited_for_at + kMaxUnclaimed;
    coming = coming->seen.is_over || is_left ? Drop(coming) : std::next(coming);
  }
  hit_blocks_ += static_cast<int64_t>(arrived);
  if (arrived > 0) allowance_.Arrived(now, static_cast<double>(arrived));
  const bool waits = std::ranges::any_of(coming_, [](const Coming& coming) {
    return coming.waits_for_store() && !coming.is_given_up;
  });
  if (waits && now > allowance_.until()) {
    allowance_.GiveUp(now);
    GiveUp();
  }
}

// What did not come of it is free; nothing of it is being read.
std::list<KvTier::Coming>::iterator KvTier::Drop(std::list<Coming>::iterator coming) {
  if (coming->published > 0 && coming->published == coming->blocks.size()) allowance_.Succeeded();
  for (size_t i = coming->published; i < coming->blocks.size(); ++i) {
    pool_->Release(coming->blocks[i]);
  }
  if (coming->parent) pool_->Release(*coming->parent);
  fetcher_.Forget(coming->id);
  return coming_.erase(coming);
}

// The first `there` blocks; how many of them are new.
size_t KvTier::TakeWhatCame(Coming& coming, size_t there) {
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
void KvTier::GiveUp() {
  for (Coming& coming : coming_) {
    coming.is_given_up = true;
    fetcher_.Stop(coming.id);
  }
}

bool KvTier::IsComing(const KvCache& cache, const BlockKey& root,
                      std::span<const int> tokens) const {
  return Find(cache, root, tokens) != coming_.end();
}

// What brings the next block of these tokens, or may.
std::list<KvTier::Coming>::iterator KvTier::Find(const KvCache& cache, const BlockKey& root,
                                                 std::span<const int> tokens) const {
  if (coming_.empty()) return coming_.end();
  const std::vector<BlockKey> keys = cache.NextKeys(root, NextBlock(cache, tokens));
  if (keys.empty()) return coming_.end();
  return std::ranges::find_if(coming_, [&](const Coming& coming) {
    return !coming.is_given_up &&
           std::find(coming.keys.begin() + static_cast<int64_t>(coming.published),
                     coming.keys.end(), keys.front()) != coming.keys.end();
  });
}

void KvTier::Wait() {
  if (!coming_.empty()) {
    const double left = allowance_.until() - NowNs() * 1e-9;
    fetcher_.Wait(coming_.front().id, coming_.front().seen, std::max(left, kShortestWait));
  }
  TakeWhatCame();
}

void KvTier::StopFetching() {
  GiveUp();
  TakeWhatCame();
}

void KvTier::EndFetching() {
  StopFetching();
  while (!coming_.empty()) Wait();
}

void KvTier::Publish(KvCache& cache, const BlockKey& root, std::span<const int> tokens) {
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

KvTier::Stats KvTier::stats() const {
  const int64_t hits = hit_blocks_;
  return {.queried_tokens = queried_blocks_ * kTileTokens,
          .hit_tokens = hits * kTileTokens,
          .read_bytes = hits * static_cast<int64_t>(pool_->stride_bytes()),
          .written_bytes = writer_.written_bytes(),
          .faults = fetcher_.faults() + writer_.faults() + store_->faults()};
}

}  // namespace bitfetch
