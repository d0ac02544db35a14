// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_TIER_FETCH_ALLOWANCE_H_
#define BITFETCH_TIER_FETCH_ALLOWANCE_H_

#include <algorithm>

namespace bitfetch {

// Whether to fetch blocks or to compute them. Before a fetch begins, what is known decides: the
// store's latency, of the moment, against the time that computing what it has would take. While it
// goes on, what comes decides: a store has the time that computing two blocks takes, and each block
// that comes buys the time that computing it would have taken, of which at most kMaxKept are kept.
// So a store that is faster than computing is never given up, but for a pause; and one that is
// slower, or dead, costs some blocks' time once, and then is left alone: ten seconds, and twice as
// long each time that it is slow again.
//
// Times are in seconds, `now` on any clock that does not go back.
class FetchAllowance {
 public:
  static constexpr double kFirst = 2;    // blocks
  static constexpr double kMaxKept = 8;  // blocks
  static constexpr double kMinRest = 10;
  static constexpr double kMaxRest = 600;

  // How long computing a block takes, as far as it is known.
  void SetBlockSeconds(double seconds) { block_seconds_ = seconds; }

  // Whether blocks that the store has are there sooner than they are computed, as far as its
  // latency goes.
  bool Pays(double latency, double blocks) const { return latency < blocks * block_seconds_; }

  // A question to the store begins, or the fetch of what it has.
  void Begin(double now) { until_ = std::max(until_, now + kFirst * block_seconds_); }
  void Arrived(double now, double blocks) {
    until_ =
        std::min(std::max(until_, now) + blocks * block_seconds_, now + kMaxKept * block_seconds_);
  }
  double until() const { return until_; }
  void GiveUp(double now) {
    rests_until_ = now + rest_;
    rest_ = std::min(2 * rest_, kMaxRest);
  }
  // All that was wanted came in time.
  void Succeeded() { rest_ = kMinRest; }
  bool MayBegin(double now) const { return now >= rests_until_; }

 private:
  double block_seconds_ = 1;
  double until_ = 0;
  double rest_ = kMinRest;
  double rests_until_ = 0;
};

}  // namespace bitfetch

#endif  // BITFETCH_TIER_FETCH_ALLOWANCE_H_
