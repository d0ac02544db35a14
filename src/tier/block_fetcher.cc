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

// A disk has so many blocks to read at a time. Threads also check what came, and give the memory
// for it that the pool has not touched yet, and the disk must not be idle meanwhile.
constexpr size_t kThreads = 8;

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

void BlockFetcher::Wait(Id id, const State& seen, double max_seconds) {
  std::unique_lock lock(mutex_);
  const Entry& entry = Find(id);
  ++waiting_;
  work_.notify_all();
  arrived_.wait_for(lock, std::chrono::duration<double>(max_seconds),
                    [&] { return entry.state != seen; });
  --waiting_;
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

void BlockFetcher::SetBlockSeconds(double seconds) {
  const std::lock_guard lock(mutex_);
  share_.SetBlockSeconds(seconds);
}

int64_t BlockFetcher::faults() const {
  const std::lock_guard lock(mutex_);
  return faults_;
}

// What is to be done next, as soon as there is something; null: nothing ever.
BlockFetcher::Entry* BlockFetcher::Next(std::unique_lock<std::mutex>& lock) {
  while (!stopping_) {
    const auto question =
        std::ranges::find_if(entries_, [](const auto& entry) { return entry->has_question(); });
    if (question != entries_.end()) return question->get();
    const auto blocks =
        std::ranges::find_if(entries_, [](const auto& entry) { return entry->has_blocks(); });
    if (blocks == entries_.end()) {
      work_.wait(lock);
    } else if (waiting_ > 0 || TimeShare::Clock::now() >= share_.rests_until()) {
      return blocks->get();
    } else {
      work_.wait_until(lock, share_.rests_until());
    }
  }
  return nullptr;
}

void BlockFetcher::Work() {
  std::unique_lock lock(mutex_);
  while (Entry* const next = Next(lock)) {
    Entry& entry = *next;
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
  const size_t even = (left + kThreads - 1) / kThreads;
  // Many at once would be followed by a long rest.
  const size_t count = waiting_ > 0 ? std::min(store_.Ahead(block_bytes_), even) : 1;
  entry.begun += count;
  lock.unlock();
  const double begin = ThreadSeconds();
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
  const double used = ThreadSeconds() - begin;
  lock.lock();
  if (waiting_ == 0) share_.Used(used, static_cast<double>(count));
  if (arrived < count) entry.is_stopped = true;
  if (!read && faults_++ == 0) {
    Warn("a damaged record of KV was removed, and is computed again: {}", read.error().message);
  }
}

}  // namespace bitfetch
