// SPDX-License-Identifier: Apache-2.0
#include "tier/block_fetcher.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/log.h"

namespace bitfetch {
namespace {

// Two, so that one reads while the other checks what it has read.
constexpr int kThreads = 2;
// How many blocks the system is told of before they are read.
constexpr size_t kExpected = 8;

}  // namespace

BlockFetcher::BlockFetcher(const DiskStore& store, size_t block_bytes)
    : store_(store), block_bytes_(block_bytes) {
  try {
    for (int i = 0; i < kThreads; ++i) threads_.emplace_back([this] { Work(); });
  } catch (...) {  // a thread that runs must not outlive what it works on
    End();
    throw;
  }
}

BlockFetcher::~BlockFetcher() { End(); }

void BlockFetcher::End() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  work_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

BlockFetcher::Id BlockFetcher::Begin(BlockFetch fetch) {
  auto entry = std::make_unique<Entry>();
  entry->read.resize(fetch.keys.size());
  entry->fetch = std::move(fetch);
  const std::lock_guard lock(mutex_);
  entries_.push_back(std::move(entry));
  work_.notify_all();
  return entries_.back()->id = ++last_id_;
}

BlockFetcher::Entry& BlockFetcher::Find(Id id) const {
  return **std::ranges::find_if(entries_, [id](const auto& entry) { return entry->id == id; });
}

BlockFetcher::State BlockFetcher::Look(Id id) const {
  const std::lock_guard lock(mutex_);
  return Find(id).state();
}

BlockFetcher::State BlockFetcher::Wait(Id id, size_t there, double max_seconds) const {
  std::unique_lock lock(mutex_);
  const Entry& entry = Find(id);
  arrived_.wait_for(lock, std::chrono::duration<double>(max_seconds),
                    [&] { return entry.there > there || entry.state().is_over; });
  return entry.state();
}

void BlockFetcher::Stop(Id id) {
  const std::lock_guard lock(mutex_);
  Find(id).is_stopped = true;
}

void BlockFetcher::Forget(Id id) {
  const std::lock_guard lock(mutex_);
  std::erase_if(entries_, [id](const auto& entry) { return entry->id == id; });
}

void BlockFetcher::Work() {
  const auto has_more = [](const auto& entry) { return entry->has_more(); };
  std::unique_lock lock(mutex_);
  while (true) {
    work_.wait(lock, [&] { return stopping_ || std::ranges::any_of(entries_, has_more); });
    if (stopping_) return;
    Entry& entry = **std::ranges::find_if(entries_, has_more);
    const std::vector<BlockKey>& keys = entry.fetch.keys;
    const size_t i = entry.begun++;
    ++entry.busy;
    lock.unlock();

    for (size_t k = i == 0 ? 0 : i + kExpected - 1; k < std::min(i + kExpected, keys.size()); ++k) {
      store_.Expect(keys[k]);
    }
    const Result<bool> read = store_.Read(keys[i], {entry.fetch.to[i], block_bytes_});

    lock.lock();
    --entry.busy;
    if (read && *read) {
      entry.read[i] = true;
      while (entry.there < entry.read.size() && entry.read[entry.there]) ++entry.there;
    } else {
      entry.is_unreadable = true;
      if (!read && !std::exchange(has_warned_, true)) {
        Warn("a damaged record of KV was removed, and is computed again: {}", read.error().message);
      }
    }
    arrived_.notify_all();
  }
}

}  // namespace bitfetch
