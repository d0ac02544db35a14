// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_TIER_BLOCK_FETCHER_H_
#define BITFETCH_TIER_BLOCK_FETCHER_H_

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

#include "tier/disk_store.h"

namespace bitfetch {

// Blocks of a store on their way to where they belong, one behind the other.
struct BlockFetch {
  std::vector<BlockKey> keys;
  std::vector<std::byte*> to;  // [keys] each has room for a block; until the end nobody else's
};

// Reads blocks of a store on threads of its own, in the order in which they are asked for, so that
// nobody who computes waits for a disk. A record that is damaged is said once.
class BlockFetcher {
 public:
  // Throws std::system_error where the system refuses a thread.
  BlockFetcher(const DiskStore& store, size_t block_bytes);
  ~BlockFetcher();  // when what was begun is read; what was not is left out
  BlockFetcher(const BlockFetcher&) = delete;
  BlockFetcher& operator=(const BlockFetcher&) = delete;

  using Id = uint64_t;
  Id Begin(BlockFetch fetch);

  struct State {
    size_t there = 0;            // blocks, from the first on, that have been read
    bool is_over = false;        // no more come
    bool is_unreadable = false;  // since the next can't be had
  };
  State Look(Id id) const;

  // Until more than `there` blocks have been read, or no more come, or for so long.
  State Wait(Id id, size_t there, double max_seconds) const;

  // What was not begun is left out.
  void Stop(Id id);

  // One that is over is forgotten.
  void Forget(Id id);

 private:
  struct Entry {
    Id id = 0;
    BlockFetch fetch;
    size_t begun = 0;  // blocks
    size_t busy = 0;   // being read
    std::vector<bool> read;
    size_t there = 0;
    bool is_stopped = false;
    bool is_unreadable = false;

    bool has_more() const { return !is_stopped && !is_unreadable && begun < fetch.keys.size(); }
    State state() const { return {there, busy == 0 && !has_more(), is_unreadable}; }
  };

  Entry& Find(Id id) const;
  void Work();
  void End();

  const DiskStore& store_;
  const size_t block_bytes_;
  mutable std::mutex mutex_;
  std::condition_variable work_;
  mutable std::condition_variable arrived_;
  std::deque<std::unique_ptr<Entry>> entries_;
  Id last_id_ = 0;
  bool stopping_ = false;
  bool has_warned_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace bitfetch

#endif  // BITFETCH_TIER_BLOCK_FETCHER_H_
