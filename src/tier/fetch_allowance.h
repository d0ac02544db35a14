// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_TIER_FETCH_ALLOWANCE_H_
#define BITFETCH_TIER_FETCH_ALLOWANCE_H_

#include <algorithm>

namespace bitfetch {

// Whether to go on fetching blocks or to compute them: a store has the time that computing the next
// two would take, and each block that comes buys the time that computing it would have taken, of
// which at most kMaxKept are kept. So a store that is faster than computing is never given up, but
// for a pause; and one that is slower, or dead, costs some blocks' time once.
//
// Times are in seconds, `now` on any clock that does not go back.
class FetchAllowance {
 public:
  static constexpr double kFirst = 2;    // blocks
  static constexpr double kMaxKept = 8;  // blocks
  // So long a store that was given up is left alone.
  static constexpr double kRest = 10;

  // Before anything is known of this model on this machine.
  static constexpr double kAssumedBlockSeconds = 1;
  void SetBlockSeconds(double seconds) { block_seconds_ = seconds; }

  // Fetching begins where nothing was on its way.
  void Begin(double now) { until_ = now + kFirst * block_seconds_; }
  void Arrived(double now, double blocks) {
    until_ =
        std::min(std::max(until_, now) + blocks * block_seconds_, now + kMaxKept * block_seconds_);
  }
  double until() const { return until_; }
  void GiveUp(double now) { rests_until_ = now + kRest; }
  bool MayBegin(double now) const { return now >= rests_until_; }

 private:
  double block_seconds_ = kAssumedBlockSeconds;
  double until_ = 0;
  double rests_until_ = 0;
};

}  // namespace bitfetch

#endif  // BITFETCH_TIER_FETCH_ALLOWANCE_H_
