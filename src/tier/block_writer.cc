// SPDX-License-Identifier: Apache-2.0
#include "tier/block_writer.h"

#include <utility>

#include "base/log.h"

namespace bitfetch {

BlockWriter::~BlockWriter() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

bool BlockWriter::Offer(const BlockName& name, std::span<const std::byte> block) {
  const std::lock_guard lock(mutex_);
  if (!HasRoom(block.size())) return false;
  Enqueue({.name = name, .block = {block.begin(), block.end()}});
  return true;
}

void BlockWriter::Take(const BlockName& name, std::span<const std::byte> block) {
  std::unique_lock lock(mutex_);
  is_waited_for_ = true;
  changed_.notify_all();
  changed_.wait(lock, [&] { return HasRoom(block.size()); });
  Enqueue({.name = name, .block = {block.begin(), block.end()}});
}

void BlockWriter::Touch(std::vector<BlockKey> keys) {
  const std::lock_guard lock(mutex_);
  Job job{.touched = std::move(keys)};
  if (HasRoom(job.bytes())) Enqueue(std::move(job));
}

void BlockWriter::SetBlockSeconds(double seconds) {
  const std::lock_guard lock(mutex_);
  share_.SetBlockSeconds(seconds);
}

int64_t BlockWriter::written_bytes() const {
  const std::lock_guard lock(mutex_);
  return written_bytes_;
}

int64_t BlockWriter::faults() const {
  const std::lock_guard lock(mutex_);
  return faults_;
}

void BlockWriter::Enqueue(Job job) {
  waiting_bytes_ += job.bytes();
  waiting_.push_back(std::move(job));
  changed_.notify_all();
}

void BlockWriter::Work() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
    if (waiting_.empty()) return;
    changed_.wait_until(lock, share_.rests_until(), [this] { return stopping_ || is_waited_for_; });
    const Job job = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    const double begin = ThreadSeconds();
    Status written;
    if (job.touched.empty()) {
      written = store_.Write(job.name, job.block);
    } else {
      store_.Touch(job.touched);
    }
    const double used = ThreadSeconds() - begin;
    lock.lock();
    share_.Used(used, 1);
    waiting_bytes_ -= job.bytes();
    if (written) {
      written_bytes_ += std::ssize(job.block);
    } else if (faults_++ == 0) {
      Warn("KV is not kept for later runs: {}", written.error().message);
    }
    changed_.notify_all();
  }
}

}  // namespace bitfetch
