// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_TIER_BLOCK_WRITER_H_
#define BITFETCH_TIER_BLOCK_WRITER_H_

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

#include "tier/block_record.h"
#include "tier/disk_store.h"

namespace bitfetch {

// Writes blocks to a store on a thread of its own, so that nobody who computes waits for a disk.
// What a store can't take is said once.
class BlockWriter {
 public:
  static constexpr size_t kMaxWaitingBytes = size_t{32} << 20;

  explicit BlockWriter(DiskStore& store) : store_(store), thread_([this] { Work(); }) {}
  ~BlockWriter();  // when all that was taken is written

  // Takes a copy of a block to write. False: so much waits already that it is not taken.
  bool Offer(const BlockName& name, std::span<const std::byte> block);
  // The same, after waiting until it may be taken.
  void Take(const BlockName& name, std::span<const std::byte> block);

 private:
  struct Job {
    BlockName name;
    std::vector<std::byte> block;
  };

  bool HasRoom(size_t bytes) const {
    return waiting_bytes_ == 0 || waiting_bytes_ + bytes <= kMaxWaitingBytes;
  }
  void Enqueue(const BlockName& name, std::span<const std::byte> block);
  void Work();

  DiskStore& store_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Job> waiting_;
  size_t waiting_bytes_ = 0;  // and of what is being written
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace bitfetch

#endif  // BITFETCH_TIER_BLOCK_WRITER_H_
