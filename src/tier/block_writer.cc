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
  Enqueue(name, block);
  return true;
}

void BlockWriter::Take(const BlockName& name, std::span<const std::byte> block) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return HasRoom(block.size()); });
  Enqueue(name, block);
}

void BlockWriter::Enqueue(const BlockName& name, std::span<const std::byte> block) {
  waiting_.push_back({name, {block.begin(), block.end()}});
  waiting_bytes_ += block.size();
  changed_.notify_all();
}

void BlockWriter::Work() {
  bool is_said = false;
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
    if (waiting_.empty()) return;
    const Job job = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    if (const Status written = store_.Write(job.name, job.block); !written && !is_said) {
      is_said = true;
      Warn("KV is not kept for later runs: {}", written.error().message);
    }
    lock.lock();
    waiting_bytes_ -= job.block.size();
    changed_.notify_all();
  }
}

}  // namespace bitfetch
