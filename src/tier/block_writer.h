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

#include "tier/block_store.h"
#include "tier/time_share.h"

namespace bitfetch {

// Writes blocks to a store on a thread of its own, so that nobody who computes waits for a disk or
// a network, in a small part of a processor (TimeShare) as long as nobody waits for it. What a
// store can't take is said once.
class BlockWriter {
 public:
  static constexpr size_t kMaxWaitingBytes = size_t{32} << 20;

  explicit BlockWriter(BlockStore& store) : store_(store), thread_([this] { Work(); }) {}
  ~BlockWriter();  // when all that was taken is written

  // Takes a copy of a block to write. False: so much waits already that it is not taken.
  bool Offer(const BlockName& name, std::span<const std::byte> block);
  // The same, after waiting until it may be taken; all is written as fast as it can be from now on.
  void Take(const BlockName& name, std::span<const std::byte> block);

  // BlockStore::Touch, unless so much waits already that nobody would hear of it in time.
  void Touch(std::vector<BlockKey> keys);

  // How long computing a block takes.
  void SetBlockSeconds(double seconds);

  int64_t written_bytes() const;
  // Blocks that could not be written.
  int64_t faults() const;

 private:
  struct Job {
    BlockName name = {};
    std::vector<std::byte> block = {};
    std::vector<BlockKey> touched = {};  // in place of a block
    size_t bytes() const { return block.size() + touched.size() * sizeof(BlockKey); }
  };

  bool HasRoom(size_t bytes) const {
    return waiting_bytes_ == 0 || waiting_bytes_ + bytes <= kMaxWaitingBytes;
  }
  void Enqueue(Job job);
  void Work();

  BlockStore& store_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Job> waiting_;
  size_t waiting_bytes_ = 0;  // and of what is being written
  int64_t written_bytes_ = 0;
  int64_t faults_ = 0;
  bool stopping_ = false;
  bool is_waited_for_ = false;
  TimeShare share_;
  std::thread thread_;
};

}  // namespace bitfetch

#endif  // BITFETCH_TIER_BLOCK_WRITER_H_
