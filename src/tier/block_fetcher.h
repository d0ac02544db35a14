// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_TIER_BLOCK_FETCHER_H_
#define BITFETCH_TIER_BLOCK_FETCHER_H_

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "tier/block_store.h"
#include "tier/time_share.h"

namespace bitfetch {

// Asks a store for blocks on threads of its own, in the order in which they are wanted, so that
// nobody who computes waits for a disk or a network. While nobody waits for blocks, others compute,
// and reading takes a small part of a processor (TimeShare). A record that is damaged is said once.
class BlockFetcher {
 public:
  // Throws std::system_error where the system refuses a thread.
  BlockFetcher(BlockStore& store, size_t block_bytes);
  ~BlockFetcher();  // when what was begun is read; what was not is left out
  BlockFetcher(const BlockFetcher&) = delete;
  BlockFetcher& operator=(const BlockFetcher&) = delete;

  using Id = uint64_t;
  // Asks how many of these blocks, one behind the other, the store has.
  Id Ask(std::vector<BlockKey> keys);

  struct State {
    std::optional<size_t> has;  // blocks, from the first on, that the store has; or not known yet
    double asked_seconds = 0;   // that it took to know
    size_t there = 0;           // blocks, from the first on, that have been read
    bool is_over = false;       // no more come

    bool operator==(const State&) const = default;
  };
  State Look(Id id) const;

  // Reads the first of them that it has to where they belong, [blocks], each with room for one and
  // until the end nobody else's.
  void Read(Id id, std::vector<std::byte*> to);

  // Until something has changed since it was `seen`, or for so long.
  void Wait(Id id, const State& seen, double max_seconds);

  // What was not begun is left out.
  void Stop(Id id);

  // One that is over is forgotten, or that the store has nothing of.
  void Forget(Id id);

  // How long computing a block takes.
  void SetBlockSeconds(double seconds);

  // Records that were damaged.
  int64_t faults() const;

 private:
  struct Entry {
    Id id = 0;
    std::vector<BlockKey> keys;
    std::vector<std::byte*> to;
    State state;
    size_t begun = 0;  // blocks
    size_t busy = 0;   // threads
    std::vector<bool> read;
    bool is_asked = false;
    bool is_stopped = false;

    bool has_question() const { return !is_stopped && !is_asked; }
    bool has_blocks() const { return !is_stopped && begun < to.size(); }
  };

  Entry& Find(Id id) const;
  void Work();
  Entry* Next(std::unique_lock<std::mutex>& lock);
  void Count(Entry& entry, std::unique_lock<std::mutex>& lock);
  void ReadSome(Entry& entry, std::unique_lock<std::mutex>& lock);
  void End();

  BlockStore& store_;
  const size_t block_bytes_;
  mutable std::mutex mutex_;
  std::condition_variable work_;
  std::condition_variable arrived_;
  std::deque<std::unique_ptr<Entry>> entries_;
  Id last_id_ = 0;
  bool stopping_ = false;
  int waiting_ = 0;  // callers of Wait
  TimeShare share_;
  int64_t faults_ = 0;
  std::vector<std::thread> threads_;
};

}  // namespace bitfetch

#endif  // BITFETCH_TIER_BLOCK_FETCHER_H_
