// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_TIER_TIME_SHARE_H_
#define BITFETCH_TIER_TIME_SHARE_H_

#include <algorithm>
#include <chrono>
#include <ctime>

namespace bitfetch {

// Processor's time of the calling thread so far, in seconds.
inline double ThreadSeconds() {
  timespec used;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  return static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) * 1e-9;
}

// Keeps what is done with blocks behind those who compute to a part of one processor: after what a
// block took there is a rest. Threads that compute in step wait for the one that is held up, so
// that part is what they lose at most. A low priority in its place may keep a thread from going
// on for as long as any other program likes, also one that holds what others wait for.
class TimeShare {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr double kShare = 0.1;
  // Blocks in the time that computing one takes, which go on in any case: a store that is worth its
  // while is not to look slow for these rests.
  static constexpr double kMinBlocks = 8;

  // FetchAllowance::SetBlockSeconds.
  void SetBlockSeconds(double seconds) { block_seconds_ = seconds; }

  // So many blocks took so much processor's time.
  void Used(double seconds, double blocks, Clock::time_point now = Clock::now()) {
    const std::chrono::duration<double> rest(
        std::min(seconds / kShare, blocks * block_seconds_ / kMinBlocks));
    rests_until_ = std::max(rests_until_, now) + std::chrono::duration_cast<Clock::duration>(rest);
  }
  Clock::time_point rests_until() const { return rests_until_; }

 private:
  double block_seconds_ = 1;
  Clock::time_point rests_until_ = {};
};

}  // namespace bitfetch

#endif  // BITFETCH_TIER_TIME_SHARE_H_
