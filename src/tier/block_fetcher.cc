// SPDX-License-Identifier: Apache-2.0
#include "tier/block_fetcher.h"

#include <algorithm>
#include <chrono>
#include <span>
#include <utility>

#include "base/log.h"
#include "machine/clock.h"

namespace bitfetch {
namespace {

// A disk has so many blocks to read at a time; one thread would leave it, or a network, idle while
// it checks.
constexpr size_t kThreads = 4;

}  // namespace

BlockFetcher::BlockFetcher(BlockStore& store, size_t block_bytes)
    : store_(store), block_bytes_(block_bytes) {
  try {
    for (size_t i = 0; i < kThreads; ++i) threads_.emplace_back([this] { Work(); });
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

BlockFetcher::Id BlockFetcher::Ask(std::vector<BlockKey> keys) {
  auto entry = std::make_unique<Entry>();
  entry->keys = std::move(keys);
  const std::lock_guard lock(mutex_);
  entries_.push_back(std::move(entry));
  work_.notify_all();
  return entries_.back()->id = ++last_id_;
}

void BlockFetcher::Read(Id id, std::vector<std::byte*> to) {
  const std::lock_guard lock(mutex_);
  Entry& entry = Find(id);
  entry.read.resize(to.size());
  entry.to = std::move(to);
  work_.notify_all();
}

BlockFetcher::Entry& BlockFetcher::Find(Id id) const {
  return **std::ranges::find_if(entries_, [id](const auto& entry) { return entry->id == id; });
}

BlockFetcher::State BlockFetcher::Look(Id id) const {
  const std::lock_guard lock(mutex_);
  return Find(id).state;
}

void BlockFetcher::Wait(Id id, const State& seen, double max_seconds) const {
  std::unique_lock lock(mutex_);
  const Entry& entry = Find(id);
  arrived_.wait_for(lock, std::chrono::duration<double>(max_seconds),
                    [&] { return entry.state != seen; });
}

void BlockFetcher::Stop(Id id) {
  const std::lock_guard lock(mutex_);
  Entry& entry = Find(id);
  entry.is_stopped = true;
  entry.state.is_over |= entry.busy == 0;
  arrived_.notify_all();
}

void BlockFetcher::Forget(Id id) {
  const std::lock_guard lock(mutex_);
  std::erase_if(entries_, [id](const auto& entry) { return entry->id == id; });
}

int64_t BlockFetcher::faults() const {
  const std::lock_guard lock(mutex_);
  return faults_;
}

void BlockFetcher::Work() {
  const auto has_work = [](const auto& entry) { return entry->has_work(); };
  std::unique_lock lock(mutex_);
  while (true) {
    work_.wait(lock, [&] { return stopping_ || std::ranges::any_of(entries_, has_work); });
    if (stopping_) return;
    Entry& entry = **std::ranges::find_if(entries_, has_work);
    ++entry.busy;
    if (entry.is_asked) {
      ReadSome(entry, lock);
    } else {
      Count(entry, lock);
    }
    --entry.busy;
    entry.state.is_over =
        entry.busy == 0 && (entry.is_stopped || entry.state.has == 0 ||
                            (!entry.to.empty() && entry.begun == entry.to.size()));
    arrived_.notify_all();
  }
}

void BlockFetcher::Count(Entry& entry, std::unique_lock<std::mutex>& lock) {
  entry.is_asked = true;
  lock.unlock();
  const Stopwatch time;
  const int64_t has = store_.Count(entry.keys);
  lock.lock();
  entry.state.asked_seconds = time.Seconds();
  entry.state.has = static_cast<size_t>(has);
}

void BlockFetcher::ReadSome(Entry& entry, std::unique_lock<std::mutex>& lock) {
  const size_t first = entry.begun;
  const size_t left = entry.to.size() - first;
  // All threads have something to do as long as there is something.
  const size_t count = std::min(store_.Ahead(block_bytes_), (left + kThreads - 1) / kThreads);
  entry.begun += count;
  lock.unlock();
  size_t arrived = 0;
  const auto on_arrival = [&] {
    const std::lock_guard inner(mutex_);
    entry.read[first + arrived++] = true;
    size_t& there = entry.state.there;
    while (there < entry.read.size() && entry.read[there]) ++there;
    arrived_.notify_all();
    return !entry.is_stopped;
  };
  const Status read =
      store_.Read(std::span(entry.keys).subspan(first, count),
                  std::span(entry.to).subspan(first, count), block_bytes_, on_arrival);
  lock.lock();
  if (arrived < count) entry.is_stopped = true;
  if (!read && faults_++ == 0) {
    Warn("a damaged record of KV was removed, and is computed again: {}", read.error().message);
  }
}

}  // namespace bitfetch
