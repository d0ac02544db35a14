// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_API_TURNS_H_
#define BITFETCH_API_TURNS_H_

#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace bitfetch {

// A lock that threads get in the order in which they ask for it. With std::mutex, whoever takes it
// again and again, as for one token after the other, leaves no gap that is long enough for others
// to wake up in.
class Turns {
 public:
  void lock() {
    std::unique_lock lock(mutex_);
    const uint64_t mine = asked_++;
    changed_.wait(lock, [&] { return mine == turn_; });
  }

  void unlock() {
    const std::lock_guard lock(mutex_);
    ++turn_;
    changed_.notify_all();
  }

  // Turns that were asked for and have not ended.
  uint64_t left() const {
    const std::lock_guard lock(mutex_);
    return asked_ - turn_;
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  uint64_t asked_ = 0;  // turns so far
  uint64_t turn_ = 0;   // whose it is, or will be when asked for
};

}  // namespace bitfetch

#endif  // BITFETCH_API_TURNS_H_
